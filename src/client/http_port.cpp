#include "client/http_port.h"

#include "base/text.h"
#include "data/json.h"

namespace orch::client {

using loop::Task;

namespace {

constexpr size_t kMaxError = 1 << 20;

std::string with_query(std::string path, const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string query = format_query(pairs);
  return query.empty() ? path : path + "?" + query;
}

std::vector<std::pair<std::string, std::string>> write_query(const WriteOptions& options) {
  static constexpr std::string_view kValidation[] = {"Ignore", "Warn", "Strict"};
  return {{"fieldManager", options.field_manager},
          {"dryRun", options.dry_run ? "All" : ""},
          {"fieldValidation", std::string(kValidation[static_cast<size_t>(options.field_validation)])},
          {"force", options.force ? "true" : ""}};
}

std::string_view media_type(PatchType type) {
  switch (type) {
    case PatchType::json: return "application/json-patch+json";
    case PatchType::merge: return "application/merge-patch+json";
    case PatchType::strategic: return "application/strategic-merge-patch+json";
    case PatchType::apply: return "application/apply-patch+yaml";
  }
  return "";
}

Value delete_options(const RemoveOptions& options) {
  ObjectBuilder preconditions;
  if (!options.uid.empty()) preconditions.set("uid", options.uid);
  if (!options.resource_version.empty()) preconditions.set("resourceVersion", options.resource_version);
  ObjectBuilder body;
  body.set("kind", "DeleteOptions").set("apiVersion", "v1");
  if (!preconditions.empty()) body.set("preconditions", std::move(preconditions).build());
  if (!options.propagation.empty()) body.set("propagationPolicy", options.propagation);
  if (options.grace_seconds) body.set("gracePeriodSeconds", *options.grace_seconds);
  if (options.dry_run) body.set("dryRun", Value::list({Value("All")}));
  return std::move(body).build();
}

std::vector<std::pair<std::string, std::string>> list_query(const ListOptions& options) {
  return {{"labelSelector", options.label_selector},
          {"fieldSelector", options.field_selector},
          {"limit", options.limit > 0 ? std::to_string(options.limit) : ""},
          {"continue", options.continue_token},
          {"resourceVersion", options.freshness == Freshness::any ? "0" : ""}};
}

class HttpWatch final : public WatchStream {
 public:
  explicit HttpWatch(std::unique_ptr<wire::ReplyStream> stream) : lines_(std::move(stream)) {}

  Task<std::vector<WatchEvent>> next() override {
    std::vector<WatchEvent> events;
    while (events.empty()) {
      auto values = co_await lines_.next();
      if (values.empty()) co_await loop::fail(Error::make(Code::closed, "the watch has ended"));
      for (const Value& value : values) {
        std::string_view type = value["type"].as_string();
        WatchEvent event{EventType::modified, value["object"]};
        if (type == "ADDED") event.type = EventType::added;
        if (type == "DELETED") event.type = EventType::deleted;
        if (type == "BOOKMARK") event.type = EventType::bookmark;
        events.push_back(std::move(event));
      }
    }
    co_return std::move(events);
  }

 private:
  WatchLines lines_;
};

}  // namespace

std::string target_path(const Target& target) {
  std::string path = target.group.empty() ? "/api/" : "/apis/" + target.group + "/";
  path += target.version;
  if (!target.ns.empty()) path += "/namespaces/" + encode_percent(target.ns);
  path += "/" + target.resource;
  if (!target.name.empty()) path += "/" + encode_percent(target.name);
  if (!target.subresource.empty()) path += "/" + target.subresource;
  return path;
}

Task<Value> HttpPort::call_json(RestRequest request) {
  auto reply = co_await client_.call(std::move(request));
  Value value = co_await parse_json(reply.body);
  co_return std::move(value);
}

Task<Value> HttpPort::get(Target target) {
  RestRequest request;
  request.target = target_path(target);
  Value value = co_await call_json(std::move(request));
  co_return std::move(value);
}

Task<ListResult> HttpPort::list(Target target, ListOptions options) {
  RestRequest request;
  request.target = with_query(target_path(target), list_query(options));
  Value list = co_await call_json(std::move(request));
  ListResult result;
  const Value& metadata = list["metadata"];
  result.resource_version = metadata["resourceVersion"].as_string();
  result.continue_token = metadata["continue"].as_string();
  result.remaining = metadata["remainingItemCount"].as_int();
  // The items of a typed list say neither apiVersion nor kind; the list does.
  std::string_view kind = list["kind"].as_string();
  if (kind.ends_with("List")) kind.remove_suffix(4);
  for (const Value& item : list["items"].items()) {
    Value object = item;
    if (!object.has("kind")) {
      object = object.with("apiVersion", list["apiVersion"]).with("kind", Value(kind));
    }
    result.items.push_back(std::move(object));
  }
  co_return std::move(result);
}

Task<std::unique_ptr<WatchStream>> HttpPort::watch(Target target, WatchOptions options) {
  std::vector<std::pair<std::string, std::string>> query = {
      {"watch", "true"},
      {"labelSelector", options.label_selector},
      {"fieldSelector", options.field_selector},
      {"resourceVersion", options.resource_version},
      {"allowWatchBookmarks", options.bookmarks ? "true" : ""},
      {"timeoutSeconds", options.timeout_seconds ? std::to_string(*options.timeout_seconds) : ""}};
  RestRequest request;
  request.target = with_query(target_path(target), query);
  auto stream = co_await client_.open(std::move(request));
  if (stream->status() != 200) {
    std::string body = co_await read_body(*stream, kMaxError);
    co_await loop::fail(reply_error(stream->status(), body));
  }
  std::unique_ptr<WatchStream> watch = std::make_unique<HttpWatch>(std::move(stream));
  co_return std::move(watch);
}

Task<Value> HttpPort::create(Target target, Value object, WriteOptions options) {
  RestRequest request;
  request.method = "POST";
  if (target.subresource.empty()) target.name.clear();
  request.target = with_query(target_path(target), write_query(options));
  request.content_type = "application/json";
  request.body = format_json(object);
  Value value = co_await call_json(std::move(request));
  co_return std::move(value);
}

Task<Value> HttpPort::update(Target target, Value object, WriteOptions options) {
  RestRequest request;
  request.method = "PUT";
  request.target = with_query(target_path(target), write_query(options));
  request.content_type = "application/json";
  request.body = format_json(object);
  Value value = co_await call_json(std::move(request));
  co_return std::move(value);
}

Task<Value> HttpPort::patch(Target target, PatchType type, Value patch, WriteOptions options) {
  RestRequest request;
  request.method = "PATCH";
  request.target = with_query(target_path(target), write_query(options));
  request.content_type = media_type(type);
  request.body = format_json(patch);
  Value value = co_await call_json(std::move(request));
  co_return std::move(value);
}

Task<Value> HttpPort::remove(Target target, RemoveOptions options) {
  RestRequest request;
  request.method = "DELETE";
  request.target = target_path(target);
  request.content_type = "application/json";
  request.body = format_json(delete_options(options));
  Value value = co_await call_json(std::move(request));
  co_return std::move(value);
}

Task<Value> HttpPort::remove_collection(Target target, ListOptions which, RemoveOptions options) {
  RestRequest request;
  request.method = "DELETE";
  target.name.clear();
  request.target = with_query(target_path(target), list_query(which));
  request.content_type = "application/json";
  request.body = format_json(delete_options(options));
  Value value = co_await call_json(std::move(request));
  co_return std::move(value);
}

// --- WatchLines

Task<std::vector<Value>> WatchLines::next() {
  std::vector<Value> events;
  while (events.empty()) {
    std::string bytes = co_await stream_->read();
    if (bytes.empty()) co_return std::move(events);
    buffer_ += bytes;
    size_t start = 0;
    for (size_t end; (end = buffer_.find('\n', start)) != std::string::npos; start = end + 1) {
      std::string_view line = trim(std::string_view(buffer_).substr(start, end - start));
      if (line.empty()) continue;
      JsonOptions options;
      options.keys = &keys_;
      Value event = co_await parse_json(line, options);
      if (event["type"].as_string() == "ERROR") {
        const Value& status = event["object"];
        co_await loop::fail(status_error(status, static_cast<int>(status["code"].as_int(500))));
      }
      events.push_back(std::move(event));
    }
    buffer_.erase(0, start);
  }
  co_return std::move(events);
}

}  // namespace orch::client
