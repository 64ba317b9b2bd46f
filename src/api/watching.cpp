#include "api/watching.h"

#include "api/status.h"
#include "base/text.h"

namespace orch::api {

using client::EventType;
using store::StoredPtr;

Result<std::unique_ptr<WatchSession>> WatchSession::open(Objects& objects, client::Target target, WatchQuery query) {
  TRY(const schema::Kind* kind, objects.kind_of(target));
  TRY(Selection selection, Selection::parse(*kind, query.label_selector, query.field_selector));
  store::Revision from = 0;
  if (!query.resource_version.empty()) {
    auto parsed = parse_int(query.resource_version);
    if (!parsed || *parsed < 0) {
      return bad_request("resourceVersion: Invalid value: " + quote(query.resource_version));
    }
    from = *parsed;
  }
  std::unique_ptr<WatchSession> session(new WatchSession(objects, *kind, std::move(selection)));
  std::string prefix = storage_key(objects.storage_kind(*kind), target.ns, "");
  bool initial = from == 0 || query.send_initial_events;
  if (initial) {
    if (from > objects.store().revision()) {
      return Error::make(Code::timeout, "Too large resource version: " + std::to_string(from) +
                                            ", current: " + std::to_string(objects.store().revision()))
          .with_retry_after(1);
    }
    TRY(session->watch_, objects.store().watch(prefix, objects.store().revision()));
    TRY_VOID(session->add_initial(prefix, query.send_initial_events && query.bookmarks));
    return session;
  }
  TRY(session->watch_, objects.store().watch(prefix, from));
  return session;
}

Result<void> WatchSession::add_initial(const std::string& prefix, bool mark_end) {
  TRY(store::RangeResult range, objects_.store().range(prefix, "", 0, 0));
  for (StoredPtr& item : range.items) {
    if (!matches(item)) continue;
    store::Revision revision = item->revision;
    initial_.push_back({EventType::added, revision, std::move(item), {}, false});
  }
  if (mark_end) {
    Selected end = bookmark();
    end.initial_end = true;
    end.object = end.object.with_path({"metadata", "annotations"},
                                      Value::object({{"k8s.io/initial-events-end", "true"}}));
    initial_.push_back(std::move(end));
  }
  return {};
}

bool WatchSession::matches(const StoredPtr& stored) const {
  if (!stored) return false;
  return selection_.matches_all() || selection_.matches(objects_.as_kind(*kind_, *stored));
}

// An object that stops matching is DELETED for this watcher, one that starts is ADDED.
std::optional<Selected> WatchSession::select(const store::Event& event) const {
  bool gone = event.type == store::Event::Type::deleted;
  bool was = matches(event.previous);
  bool is = !gone && matches(event.object);
  if (!was && !is) return std::nullopt;
  if (is) return Selected{was ? EventType::modified : EventType::added, event.revision, event.object, {}, false};
  if (gone) return Selected{EventType::deleted, event.revision, event.object, {}, false};
  const Value& before = event.previous->value;
  Value left = before.with("metadata", before["metadata"].with("resourceVersion", std::to_string(event.revision)));
  return Selected{EventType::deleted, event.revision, nullptr, std::move(left), false};
}

loop::Task<std::vector<Selected>> WatchSession::next() {
  if (!initial_.empty()) co_return std::exchange(initial_, {});
  for (;;) {
    std::vector<store::Event> events = co_await watch_->next();
    std::vector<Selected> selected;
    for (const store::Event& event : events) {
      if (auto one = select(event)) selected.push_back(std::move(*one));
    }
    if (!selected.empty()) co_return std::move(selected);
  }
}

Selected WatchSession::bookmark() const {
  store::Revision revision = watch_->progress();
  Value metadata = Value::object({{"resourceVersion", std::to_string(revision)}, {"creationTimestamp", nullptr}});
  Value object = Value::object(
      {{"kind", kind_->kind}, {"apiVersion", kind_->api_version()}, {"metadata", std::move(metadata)}});
  return {EventType::bookmark, revision, nullptr, std::move(object), false};
}

}  // namespace orch::api
