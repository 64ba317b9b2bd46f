#include "schema/codec_envelope.h"

#include "base/text.h"
#include "data/json.h"
#include "data/protobuf.h"
#include "schema/engine.h"

namespace orch::schema {

namespace {

constexpr std::string_view kMagic("k8s\0", 4);
constexpr std::string_view kMetaPackage = "k8s.io.apimachinery.pkg.apis.meta.v1";

// The message behind an apiVersion and a kind.
struct Message {
  const Type* type = nullptr;  // of the object, or of the items of a list
  bool list = false;           // {1 ListMeta, 2 items}
};

Result<Message> find_message(const Registry& registry, std::string_view api_version,
                             std::string_view kind) {
  auto parts = split_once(api_version, '/');
  std::string_view group = parts ? parts->first : std::string_view();
  std::string_view version = parts ? parts->second : api_version;
  if (const Kind* found = registry.find_kind(group, version, kind)) return Message{found->type};
  if (kind.ends_with("List")) {
    const Kind* item = registry.find_kind(group, version, kind.substr(0, kind.size() - 4));
    if (item) return Message{item->type, true};
  }
  // Kinds without a resource; options and results are the same in every group.
  for (std::string_view package : {registry.package_of(group, version), kMetaPackage}) {
    const Type* type = package.empty() ? nullptr : registry.find_type(package, kind);
    if (type && type->type_meta) return Message{type};
  }
  return Error::make(Code::not_acceptable, "no protobuf message for kind " + quote(kind) +
                                               " of version " + quote(api_version));
}

const Type& meta_type(const Registry& registry, std::string_view name) {
  const Type* type = registry.find_type(kMetaPackage, name);
  ORCH_CHECK(type != nullptr);
  return *type;
}

bool is_generic_list(const Message& message) {
  return message.type->name == "List" && message.type->package == kMetaPackage;
}

struct Unknown {
  std::string_view api_version, kind, raw, encoding;
};

Result<Unknown> decode_unknown(std::string_view bytes) {
  Unknown out;
  ProtoReader reader(bytes);
  while (!reader.done()) {
    TRY(ProtoField field, reader.next());
    if (field.type != WireType::length) continue;
    if (field.number == 2) out.raw = field.bytes;
    if (field.number == 3) out.encoding = field.bytes;
    if (field.number != 1) continue;
    ProtoReader type_meta(field.bytes);
    while (!type_meta.done()) {
      TRY(ProtoField text, type_meta.next());
      if (text.number == 1) out.api_version = text.bytes;
      if (text.number == 2) out.kind = text.bytes;
    }
  }
  return out;
}

// What a RawExtension holds: an envelope, or JSON.
Result<Value> decode_embedded(const Registry& registry, std::string_view message) {
  std::string_view raw;
  ProtoReader reader(message);
  while (!reader.done()) {
    TRY(ProtoField field, reader.next());
    if (field.number == 1) raw = field.bytes;
  }
  if (raw.empty()) return Value(nullptr);
  if (has_protobuf_magic(raw)) return decode_envelope(registry, raw);
  return parse_json(raw);
}

Result<Value> decode_list(const Registry& registry, const Message& message, std::string_view raw) {
  ObjectBuilder out;
  out.set("metadata", Value::empty_object());
  std::vector<Value> items;
  ProtoReader reader(raw);
  while (!reader.done()) {
    TRY(ProtoField field, reader.next());
    if (field.type != WireType::length) continue;
    if (field.number == 1) {
      TRY(Value metadata, decode_protobuf(meta_type(registry, "ListMeta"), field.bytes));
      out.set("metadata", std::move(metadata));
    } else if (field.number == 2) {
      auto item = message.list ? decode_protobuf(*message.type, field.bytes)
                               : decode_embedded(registry, field.bytes);
      if (!item.ok()) return item;
      items.push_back(std::move(item).value());
    }
  }
  out.set("items", Value::list(std::move(items)));
  return std::move(out).build();
}

Result<std::string> encode_list(const Registry& registry, const Type& item_type,
                                const Value& list) {
  std::string out;
  ProtoWriter writer(out);
  TRY(std::string metadata, encode_protobuf(meta_type(registry, "ListMeta"), list["metadata"]));
  writer.bytes(1, metadata);
  for (const Value& item : list["items"].items()) {
    TRY(std::string bytes, encode_protobuf(item_type, item));
    writer.bytes(2, bytes);
  }
  return out;
}

}  // namespace

bool has_protobuf_magic(std::string_view bytes) { return bytes.starts_with(kMagic); }

Result<Value> decode_envelope(const Registry& registry, std::string_view bytes,
                              std::string_view default_api_version, std::string_view default_kind) {
  if (!has_protobuf_magic(bytes)) {
    return Error::make(
        Code::bad_request,
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
  }
  auto unknown = decode_unknown(bytes.substr(kMagic.size()));
  if (!unknown.ok()) return std::move(unknown).error().with_code(Code::bad_request);
  if (!unknown->encoding.empty()) {
    return Error::make(Code::bad_request,
                       "unsupported content encoding " + quote(unknown->encoding));
  }
  if (unknown->api_version.empty()) unknown->api_version = default_api_version;
  if (unknown->kind.empty()) unknown->kind = default_kind;
  TRY(Message message, find_message(registry, unknown->api_version, unknown->kind));
  auto object = message.list || is_generic_list(message)
                    ? decode_list(registry, message, unknown->raw)
                    : decode_protobuf(*message.type, unknown->raw);
  if (!object.ok()) return std::move(object).error().with_code(Code::bad_request);
  ObjectBuilder out(*object);
  out.set("apiVersion", unknown->api_version);
  out.set("kind", unknown->kind);
  return std::move(out).build();
}

Result<std::string> encode_envelope(const Registry& registry, const Value& object) {
  std::string_view api_version = object["apiVersion"].as_string();
  std::string_view kind = object["kind"].as_string();
  TRY(Message message, find_message(registry, api_version, kind));
  auto raw = message.list ? encode_list(registry, *message.type, object)
                          : encode_protobuf(*message.type, object);
  if (!raw.ok()) return raw;
  return wrap_envelope(api_version, kind, *raw);
}

std::string wrap_envelope(std::string_view api_version, std::string_view kind,
                          std::string_view raw) {
  std::string out(kMagic);
  out.reserve(raw.size() + api_version.size() + kind.size() + 32);
  ProtoWriter writer(out);
  writer.message(1, [&](ProtoWriter& type_meta) {
    type_meta.bytes(1, api_version);
    type_meta.bytes(2, kind);
  });
  writer.bytes(2, raw);
  writer.bytes(3, {});
  writer.bytes(4, {});
  return out;
}

Result<std::string> wrap_list_envelope(const Registry& registry, std::string_view api_version,
                                       std::string_view list_kind, const Value& list_metadata,
                                       std::span<const std::string_view> items) {
  std::string raw;
  ProtoWriter writer(raw);
  TRY(std::string metadata, encode_protobuf(meta_type(registry, "ListMeta"), list_metadata));
  writer.bytes(1, metadata);
  for (std::string_view item : items) writer.bytes(2, item);
  return wrap_envelope(api_version, list_kind, raw);
}

std::string frame_watch_event(std::string_view type, std::string_view object) {
  std::string out(4, '\0');
  ProtoWriter writer(out);
  writer.bytes(1, type);
  writer.message(2, [&](ProtoWriter& raw_extension) { raw_extension.bytes(1, object); });
  auto size = static_cast<uint32_t>(out.size() - 4);
  for (size_t i = 0; i < 4; ++i) out[i] = static_cast<char>(size >> (24 - 8 * i));
  return out;
}

Result<WatchFrame> decode_watch_event(const Registry& registry, std::string_view message) {
  WatchFrame out;
  ProtoReader reader(message);
  while (!reader.done()) {
    auto field = reader.next();
    if (!field.ok()) return std::move(field).error().with_code(Code::bad_request);
    if (field->number == 1) out.type = std::string(field->bytes);
    if (field->number == 2) {
      TRY(out.object, decode_embedded(registry, field->bytes));
    }
  }
  return out;
}

}  // namespace orch::schema
