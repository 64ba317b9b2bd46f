#pragma once
// Queue: the pods that wait for a node. Pure: time comes in with each call.
//
//   gated        spec.schedulingGates is not empty: not to be looked at
//   active       to be tried, by priority, then by how long they wait
//   backing off  to be tried after a pause of 1 s doubling to 10 s; earlier where nothing is active,
//                unless the pause is for the API's sake (an error, not a refusal)
//   waiting      refused; an event that can help, or five minutes, make it active or back off
//   in hand      given out by take(), until done(), refuse() or fail()

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/time.h"
#include "plan/sched/plugins.h"

namespace orch::plan::sched {

class Queue {
 public:
  static constexpr Duration first_pause = 1s, longest_pause = 10s, longest_wait = 5min;

  // A pod without a node, new or changed. What is in hand stays there.
  void put(const PodPtr& pod, Mono now);
  void remove(std::string_view uid);
  bool has(std::string_view uid) const { return entries_.count(std::string(uid)) > 0; }

  // The next pod to try; null: none now.
  PodPtr take(Mono now);
  void done(std::string_view uid) { remove(uid); }
  void refuse(std::string_view uid, PluginMask plugins, Mono now);
  void fail(std::string_view uid, Mono now);

  void wake(EventMask events, Mono now);
  // Pauses that are over, waits that were too long. To be called at next_due().
  void tick(Mono now);
  std::optional<Mono> next_due() const;

  size_t size() const { return entries_.size(); }
  size_t active() const { return active_.size(); }
  size_t backing_off() const { return paused_.size() + paused_by_error_.size(); }
  size_t waiting() const;

 private:
  struct Key {
    int64_t first, second;
    uint64_t sequence;
    auto operator<=>(const Key&) const = default;
  };
  struct Entry;
  using Order = std::map<Key, Entry*>;
  struct Entry {
    PodPtr pod;
    Order* order = nullptr;  // null: gated or in hand
    Key key{};
    bool in_hand = false;
    Mono since;              // of the last attempt, or of its coming
    int refusals = 0, errors = 0;
    PluginMask refused_by = 0;
    uint64_t sequence = 0;
  };

  Entry* find(std::string_view uid);
  void leave(Entry& entry);
  void enter(Entry& entry, Order& order, Key key);
  void activate(Entry& entry);
  // Active, or backing off until its pause is over.
  void retry(Entry& entry, Mono now);
  Mono pause_end(const Entry& entry) const;

  std::unordered_map<std::string, std::unique_ptr<Entry>> entries_;
  Order active_;
  Order paused_, paused_by_error_;       // by the end of the pause
  std::map<PluginMask, Order> waiting_;  // by who refused, then by since
  uint64_t next_sequence_ = 0;
};

}  // namespace orch::plan::sched
