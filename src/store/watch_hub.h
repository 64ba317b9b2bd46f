#pragma once
// WatchHub: who watches what. Watchers of one prefix share one list of the matching events' sequence
// numbers; a watcher is a place in that list, so an event costs each group it matches one entry and a
// wake-up, however many watch, and watchers of other prefixes notice nothing.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "loop/loop.h"
#include "store/history.h"

namespace orch::store {

class WatchHub {
 public:
  WatchHub(loop::Loop& loop, HistoryLimits limits, Revision start);
  ~WatchHub();

  // Adds to the history, drops what is over its limits and wakes the watchers concerned.
  void publish(Event event);
  // Drops history up to `revision`, this one included.
  void compact(Revision revision);
  // The newest revision that reads see; watchers that have taken everything have progressed to it.
  void set_revision(Revision revision);

  Result<std::unique_ptr<Watch>> watch(std::string prefix, Revision from);
  const History& history() const;
  void close();  // watchers end with Code::closed
  // Watchers that wait end with Code::expired (a test's lost connection).
  void expire_all();

 private:
  class Watcher;
  struct Group;
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace orch::store
