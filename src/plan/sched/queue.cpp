#include "plan/sched/queue.h"

#include <algorithm>

namespace orch::plan::sched {

size_t Queue::waiting() const {
  size_t count = 0;
  for (const auto& [plugins, order] : waiting_) count += order.size();
  return count;
}

Queue::Entry* Queue::find(std::string_view uid) {
  auto at = entries_.find(std::string(uid));
  return at == entries_.end() ? nullptr : at->second.get();
}

void Queue::leave(Entry& entry) {
  if (entry.order) entry.order->erase(entry.key);
  entry.order = nullptr;
}

void Queue::enter(Entry& entry, Order& order, Key key) {
  leave(entry);
  entry.order = &order;
  entry.key = key;
  order.emplace(key, &entry);
}

void Queue::activate(Entry& entry) {
  enter(entry, active_, Key{-entry.pod->priority, entry.since.ns, entry.sequence});
}

Mono Queue::pause_end(const Entry& entry) const {
  const int tries = entry.errors > 0 ? entry.errors : entry.refusals;
  if (tries == 0) return entry.since;
  Duration pause = first_pause;
  for (int i = 1; i < tries && pause < longest_pause; ++i) pause *= 2;
  return entry.since + std::min(pause, longest_pause);
}

void Queue::retry(Entry& entry, Mono now) {
  const Mono end = pause_end(entry);
  if (end <= now) return activate(entry);
  enter(entry, entry.errors > 0 ? paused_by_error_ : paused_, Key{end.ns, 0, entry.sequence});
}

void Queue::put(const PodPtr& pod, Mono now) {
  std::unique_ptr<Entry>& slot = entries_[pod->uid];
  if (!slot) {
    slot = std::make_unique<Entry>();
    slot->since = now;
    slot->sequence = next_sequence_++;
  }
  Entry& entry = *slot;
  const PodPtr old = std::exchange(entry.pod, pod);
  if (entry.in_hand) return;
  if (pod->gated) return leave(entry);
  // A change of status (ours, for instance) is no reason to try again.
  if (!old || old->gated) return activate(entry);
  if (is_same_to_scheduler(old->object, pod->object)) return;
  if (entry.order == &active_) return activate(entry);  // priority
  retry(entry, now);
}

void Queue::remove(std::string_view uid) {
  auto at = entries_.find(std::string(uid));
  if (at == entries_.end()) return;
  leave(*at->second);
  entries_.erase(at);
}

PodPtr Queue::take(Mono now) {
  tick(now);
  Order& order = active_.empty() ? paused_ : active_;
  if (order.empty()) return nullptr;
  Entry& entry = *order.begin()->second;
  leave(entry);
  entry.in_hand = true;
  return entry.pod;
}

void Queue::refuse(std::string_view uid, PluginMask plugins, Mono now) {
  Entry* entry = find(uid);
  if (!entry) return;
  entry->in_hand = false;
  entry->since = now;
  entry->errors = 0;
  ++entry->refusals;
  entry->refused_by = plugins;
  if (entry->pod->gated) return leave(*entry);
  enter(*entry, waiting_[plugins], Key{now.ns, 0, entry->sequence});
}

void Queue::fail(std::string_view uid, Mono now) {
  Entry* entry = find(uid);
  if (!entry) return;
  entry->in_hand = false;
  entry->since = now;
  ++entry->errors;
  if (entry->pod->gated) return leave(*entry);
  retry(*entry, now);
}

void Queue::wake(EventMask events, Mono now) {
  if (events == 0) return;
  for (auto& [plugins, order] : waiting_) {
    if (!can_help(events, plugins)) continue;
    while (!order.empty()) retry(*order.begin()->second, now);
  }
}

void Queue::tick(Mono now) {
  for (Order* order : {&paused_, &paused_by_error_})
    while (!order->empty() && order->begin()->first.first <= now.ns) activate(*order->begin()->second);
  for (auto& [plugins, order] : waiting_)
    while (!order.empty() && order.begin()->second->since + longest_wait <= now) activate(*order.begin()->second);
}

std::optional<Mono> Queue::next_due() const {
  std::optional<Mono> due;
  auto consider = [&due](Mono at) {
    if (!due || at < *due) due = at;
  };
  for (const Order* order : {&paused_, &paused_by_error_})
    if (!order->empty()) consider(Mono{order->begin()->first.first});
  for (const auto& [plugins, order] : waiting_)
    if (!order.empty()) consider(order.begin()->second->since + longest_wait);
  return due;
}

}  // namespace orch::plan::sched
