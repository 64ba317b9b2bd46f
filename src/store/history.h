#pragma once
// History: the newest events, bounded in number and in bytes. Each event has a sequence number that
// never repeats, so that a watcher's place in it is one integer. Pure.

#include <cstdint>
#include <deque>
#include <map>
#include <string_view>

#include "store/store.h"

namespace orch::store {

struct HistoryLimits {
  size_t events = 10'000;
  size_t bytes = 16u << 20;  // of versions that only history keeps, estimated
};

class History {
 public:
  History(HistoryLimits limits, Revision start) : limits_(limits), compacted_(start) {}

  void add(Event event);
  bool over_limit() const {
    return !events_.empty() && (events_.size() > limits_.events || bytes_ > limits_.bytes);
  }
  void drop_oldest();
  bool empty() const { return events_.empty(); }
  const Event& oldest() const { return events_.front().event; }

  // Sequence numbers: [first(), end()).
  uint64_t first() const { return first_; }
  uint64_t end() const { return first_ + events_.size(); }
  const Event& at(uint64_t sequence) const {
    return events_[static_cast<size_t>(sequence - first_)].event;
  }
  // Every event after this revision is there.
  Revision compacted() const { return compacted_; }
  size_t bytes() const { return bytes_; }

  // What keys with the prefix had at revision `at`, where that differs from now (null: not there).
  // Precondition: at >= compacted().
  std::map<std::string_view, StoredPtr> undo(std::string_view prefix, Revision at) const;

 private:
  struct Entry {
    Event event;
    size_t bytes;
  };
  HistoryLimits limits_;
  std::deque<Entry> events_;
  uint64_t first_ = 0;
  size_t bytes_ = 0;
  Revision compacted_;
};

}  // namespace orch::store
