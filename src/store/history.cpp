#include "store/history.h"

#include "store/sharing.h"

namespace orch::store {

namespace {

constexpr size_t kEventOverhead = 256;  // the entry itself, handles, one object's head

size_t cost(const Event& event) {
  size_t bytes = kEventOverhead + event.object->key.size();
  if (event.previous) bytes += unshared_bytes(event.previous->value, event.object->value);
  // Nothing but history keeps a deleted object.
  if (event.type == Event::Type::deleted) bytes += event.object->value.heap_bytes();
  return bytes;
}

}  // namespace

void History::add(Event event) {
  size_t bytes = cost(event);
  bytes_ += bytes;
  events_.push_back({std::move(event), bytes});
}

void History::drop_oldest() {
  compacted_ = events_.front().event.revision;
  bytes_ -= events_.front().bytes;
  events_.pop_front();
  ++first_;
}

std::map<std::string_view, StoredPtr> History::undo(std::string_view prefix, Revision at) const {
  std::map<std::string_view, StoredPtr> then;
  for (auto entry = events_.rbegin(); entry != events_.rend(); ++entry) {
    const Event& event = entry->event;
    if (event.revision <= at) break;
    if (event.object->key.starts_with(prefix)) then[event.object->key] = event.previous;
  }
  return then;
}

}  // namespace orch::store
