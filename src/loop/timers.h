#pragma once
// The timers of a loop: callbacks ordered by their time, then by the order they were started in.

#include <map>
#include <optional>
#include <unordered_map>

#include "loop/loop.h"

namespace orch::loop {

class Timers {
 public:
  Loop::TimerId add(Mono at, Callback callback);
  void cancel(Loop::TimerId id);
  bool empty() const { return queue_.empty(); }
  std::optional<Mono> next() const;
  // The callback of the first timer due by `now`, taken out; null if none is.
  Callback take_due(Mono now);
  void clear();

 private:
  std::map<std::pair<Mono, Loop::TimerId>, Callback> queue_;
  std::unordered_map<Loop::TimerId, Mono> times_;
  Loop::TimerId last_ = 0;
};

}  // namespace orch::loop
