#include "loop/timers.h"

namespace orch::loop {

Loop::TimerId Timers::add(Mono at, Callback callback) {
  auto id = ++last_;
  queue_.emplace(std::pair(at, id), std::move(callback));
  times_.emplace(id, at);
  return id;
}

void Timers::cancel(Loop::TimerId id) {
  auto found = times_.find(id);
  if (found == times_.end()) return;
  // Out of the maps before it is destroyed: what it owns may cancel other timers.
  auto node = queue_.extract(std::pair(found->second, id));
  times_.erase(found);
}

std::optional<Mono> Timers::next() const {
  if (queue_.empty()) return std::nullopt;
  return queue_.begin()->first.first;
}

Callback Timers::take_due(Mono now) {
  if (queue_.empty() || queue_.begin()->first.first > now) return {};
  auto node = queue_.extract(queue_.begin());
  times_.erase(node.key().second);
  return std::move(node.mapped());
}

void Timers::clear() {
  while (!queue_.empty()) cancel(queue_.begin()->first.second);
}

}  // namespace orch::loop
