#include "api/local_port.h"

#include "api/watching.h"

namespace orch::api {

using client::Target;
using client::WatchEvent;
using loop::Task;

namespace {

ListQuery query_of(client::ListOptions options) {
  ListQuery query;
  query.label_selector = std::move(options.label_selector);
  query.field_selector = std::move(options.field_selector);
  query.limit = options.limit;
  query.continue_token = std::move(options.continue_token);
  if (options.freshness == client::Freshness::any) query.resource_version = "0";
  return query;
}

class LocalWatch final : public client::WatchStream {
 public:
  LocalWatch(Objects& objects, std::unique_ptr<WatchSession> session)
      : objects_(objects), session_(std::move(session)) {}

  Task<std::vector<WatchEvent>> next() override {
    std::vector<Selected> selected = co_await session_->next();
    std::vector<WatchEvent> events;
    events.reserve(selected.size());
    for (Selected& one : selected) {
      Value object = one.stored ? objects_.as_kind(session_->kind(), *one.stored) : std::move(one.object);
      events.push_back({one.type, std::move(object)});
    }
    co_return std::move(events);
  }

 private:
  Objects& objects_;
  std::unique_ptr<WatchSession> session_;
};

}  // namespace

Task<Value> LocalPort::get(Target target) {
  const schema::Kind* kind = co_await objects_.kind_of(target);
  bool scale = target.subresource == "scale";
  store::StoredPtr stored = co_await objects_.get(std::move(target));
  if (scale) co_return scale_of(*kind, stored->value);
  co_return objects_.as_kind(*kind, *stored);
}

Task<client::ListResult> LocalPort::list(Target target, client::ListOptions options) {
  ListPage page = co_await objects_.list(std::move(target), query_of(std::move(options)));
  client::ListResult result;
  result.items.reserve(page.items.size());
  for (const store::StoredPtr& item : page.items) result.items.push_back(objects_.as_kind(*page.kind, *item));
  result.resource_version = std::to_string(page.revision);
  result.continue_token = std::move(page.continue_token);
  result.remaining = page.remaining;
  co_return std::move(result);
}

Task<std::unique_ptr<client::WatchStream>> LocalPort::watch(Target target, client::WatchOptions options) {
  WatchQuery query;
  query.label_selector = std::move(options.label_selector);
  query.field_selector = std::move(options.field_selector);
  query.resource_version = std::move(options.resource_version);
  if (query.resource_version.empty()) query.resource_version = std::to_string(objects_.store().revision());
  std::unique_ptr<WatchSession> session = co_await WatchSession::open(objects_, std::move(target), std::move(query));
  co_return std::unique_ptr<client::WatchStream>(new LocalWatch(objects_, std::move(session)));
}

Task<Value> LocalPort::create(Target target, Value object, client::WriteOptions options) {
  Written written = co_await objects_.create(std::move(target), std::move(object), std::move(options));
  co_return std::move(written.value);
}

Task<Value> LocalPort::update(Target target, Value object, client::WriteOptions options) {
  Written written = co_await objects_.update(std::move(target), std::move(object), std::move(options));
  co_return std::move(written.value);
}

Task<Value> LocalPort::patch(Target target, client::PatchType type, Value patch, client::WriteOptions options) {
  Written written = co_await objects_.patch(std::move(target), type, std::move(patch), std::move(options));
  co_return std::move(written.value);
}

Task<Value> LocalPort::remove(Target target, client::RemoveOptions options) {
  Written written = co_await objects_.remove(std::move(target), std::move(options));
  co_return std::move(written.value);
}

Task<Value> LocalPort::remove_collection(Target target, client::ListOptions which, client::RemoveOptions options) {
  co_await objects_.remove_collection(std::move(target), query_of(std::move(which)), std::move(options));
  co_return Value::object({{"kind", "Status"},
                           {"apiVersion", "v1"},
                           {"metadata", Value::empty_object()},
                           {"status", "Success"}});
}

}  // namespace orch::api
