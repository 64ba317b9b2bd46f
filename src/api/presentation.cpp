#include "api/presentation.h"

#include "api/status.h"
#include "data/json.h"
#include "data/yaml.h"
#include "schema/codec_envelope.h"

namespace orch::api {

using client::EventType;
using loop::Chunk;
using schema::Kind;
using store::StoredPtr;

namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kYaml = "application/yaml";
constexpr std::string_view kProtobuf = "application/vnd.kubernetes.protobuf";

constexpr std::string_view kEventNames[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK"};

Body text_body(std::string_view type, std::string text) {
  Body body;
  body.content_type = type;
  body.chunks.emplace_back(std::move(text));
  return body;
}

Value partial_of(const Value& object) {
  return Value::object(
      {{"kind", "PartialObjectMetadata"}, {"apiVersion", "meta.k8s.io/v1"}, {"metadata", object["metadata"]}});
}

Value row_of(const Objects& objects, const Kind& kind, const Value& object, const Presentation& how) {
  Value row = schema::table_row(kind, object, objects.hooks(), how.now);
  if (how.include == IncludeObject::none) return row.with("object", nullptr);
  return row.with("object", how.include == IncludeObject::object ? object : partial_of(object));
}

Value table_of(const Kind& kind, Value metadata, std::vector<Value> rows, bool with_columns) {
  ObjectBuilder table;
  table.set("kind", "Table").set("apiVersion", "meta.k8s.io/v1").set("metadata", std::move(metadata));
  table.set("columnDefinitions", with_columns ? schema::table_columns(kind) : Value());
  table.set("rows", Value::list(std::move(rows)));
  return std::move(table).build();
}

Value list_metadata(const ListPage& page) {
  ObjectBuilder metadata;
  metadata.set("resourceVersion", std::to_string(page.revision));
  metadata.set_if("continue", page.continue_token);
  if (!page.continue_token.empty() && page.remaining > 0) metadata.set("remainingItemCount", page.remaining);
  return std::move(metadata).build();
}

// The bytes of an item: the store's own where the kind is the stored one.
std::shared_ptr<const std::string> item_json(const Objects& objects, const Kind& kind, const StoredPtr& item) {
  if (!kind.stored_as) return objects.store().bytes(*item);
  return std::make_shared<const std::string>(format_json(objects.as_kind(kind, *item)));
}

std::string list_json(const Objects& objects, const ListPage& page) {
  std::string out = "{\"kind\":\"" + page.kind->list_kind() + "\",\"apiVersion\":\"" + page.kind->api_version() +
                    "\",\"metadata\":";
  append_json(out, list_metadata(page));
  out += ",\"items\":[";
  std::vector<std::shared_ptr<const std::string>> items;
  items.reserve(page.items.size());
  size_t size = out.size() + 4;
  for (const StoredPtr& item : page.items) {
    items.push_back(item_json(objects, *page.kind, item));
    size += items.back()->size() + 1;
  }
  out.reserve(size);
  for (const auto& item : items) {
    if (item != items.front()) out += ',';
    out += *item;
  }
  out += "]}\n";
  return out;
}

Value list_value(const Objects& objects, const ListPage& page, bool partial) {
  std::vector<Value> items;
  items.reserve(page.items.size());
  for (const StoredPtr& item : page.items) {
    Value object = objects.as_kind(*page.kind, *item);
    items.push_back(partial ? partial_of(object) : std::move(object));
  }
  return Value::object({{"kind", partial ? std::string("PartialObjectMetadataList") : page.kind->list_kind()},
                        {"apiVersion", partial ? std::string("meta.k8s.io/v1") : page.kind->api_version()},
                        {"metadata", list_metadata(page)},
                        {"items", Value::list(std::move(items))}});
}

Value event_object(const Objects& objects, const Kind& kind, const Selected& event, const Presentation& how,
                   bool first) {
  Value object = event.stored ? objects.as_kind(kind, *event.stored) : event.object;
  bool bookmark = event.type == EventType::bookmark;
  if (how.accepted.shape == Shape::table) {
    Value metadata = Value::object({{"resourceVersion", std::to_string(event.revision)}});
    std::vector<Value> rows;
    if (!bookmark) rows.push_back(row_of(objects, kind, object, how));
    if (bookmark) metadata = object["metadata"];
    return table_of(kind, std::move(metadata), std::move(rows), first);
  }
  if (how.accepted.shape == Shape::partial || how.accepted.shape == Shape::partial_list) return partial_of(object);
  return object;
}

Result<std::vector<Chunk>> frame(const Objects& objects, std::string_view type, const Value& object, Format format) {
  std::vector<Chunk> chunks;
  if (format == Format::protobuf) {
    TRY(std::string bytes, schema::encode_envelope(objects.registry(), object));
    chunks.emplace_back(schema::frame_watch_event(type, bytes));
    return chunks;
  }
  std::string text = "{\"type\":\"" + std::string(type) + "\",\"object\":";
  append_json(text, object);
  text += "}\n";
  if (format == Format::yaml) {
    text = "---\n" + format_yaml(Value::object({{"type", type}, {"object", object}}));
  }
  chunks.emplace_back(std::move(text));
  return chunks;
}

}  // namespace

Result<Body> present_plain(const Objects& objects, const Value& object, Format format) {
  if (format == Format::yaml) return text_body(kYaml, format_yaml(object));
  if (format == Format::protobuf) {
    auto bytes = schema::encode_envelope(objects.registry(), object);
    if (bytes.ok()) return text_body(kProtobuf, std::move(bytes).value());
  }
  return text_body(kJson, format_json(object) + "\n");
}

Result<Body> present_object(const Objects& objects, const Kind& kind, const Value& object, const StoredPtr& stored,
                            const Presentation& how) {
  switch (how.accepted.shape) {
    case Shape::table: {
      if (object["kind"].as_string() != kind.kind) break;  // a Status or Scale
      Value metadata = Value::object({{"resourceVersion", object["metadata"]["resourceVersion"]}});
      std::vector<Value> rows;
      rows.push_back(row_of(objects, kind, object, how));
      return present_plain(objects, table_of(kind, std::move(metadata), std::move(rows), true), how.accepted.format);
    }
    case Shape::partial:
    case Shape::partial_list: return present_plain(objects, partial_of(object), how.accepted.format);
    case Shape::object: break;
  }
  if (stored && !kind.stored_as && how.accepted.format == Format::json && stored->value.same(object)) {
    Body body;
    body.content_type = kJson;
    body.chunks.emplace_back(objects.store().bytes(*stored));
    body.chunks.emplace_back(std::string("\n"));
    return body;
  }
  return present_plain(objects, object, how.accepted.format);
}

Result<Body> present_list(const Objects& objects, const ListPage& page, const Presentation& how) {
  if (how.accepted.shape == Shape::table) {
    std::vector<Value> rows;
    rows.reserve(page.items.size());
    for (const StoredPtr& item : page.items) {
      rows.push_back(row_of(objects, *page.kind, objects.as_kind(*page.kind, *item), how));
    }
    return present_plain(objects, table_of(*page.kind, list_metadata(page), std::move(rows), true),
                         how.accepted.format);
  }
  bool partial = how.accepted.shape != Shape::object;
  if (!partial && how.accepted.format == Format::json) return text_body(kJson, list_json(objects, page));
  return present_plain(objects, list_value(objects, page, partial), how.accepted.format);
}

Result<std::vector<Chunk>> present_event(const Objects& objects, const Kind& kind, const Selected& event,
                                         const Presentation& how, bool first) {
  std::string_view type = kEventNames[static_cast<size_t>(event.type)];
  bool plain = how.accepted.shape == Shape::object && how.accepted.format == Format::json;
  if (plain && event.stored && !kind.stored_as) {
    std::vector<Chunk> chunks;
    chunks.emplace_back("{\"type\":\"" + std::string(type) + "\",\"object\":");
    chunks.emplace_back(objects.store().bytes(*event.stored));
    chunks.emplace_back(std::string("}\n"));
    return chunks;
  }
  return frame(objects, type, event_object(objects, kind, event, how, first), how.accepted.format);
}

Result<std::vector<Chunk>> present_error_event(const Objects& objects, const Error& error, const Presentation& how) {
  return frame(objects, "ERROR", status_object(error), how.accepted.format);
}

std::string watch_content_type(const Presentation& how) {
  switch (how.accepted.format) {
    case Format::protobuf: return std::string(kProtobuf) + ";stream=watch";
    case Format::yaml: return std::string(kYaml);
    case Format::json: break;
  }
  return std::string(kJson);
}

}  // namespace orch::api
