#pragma once
// Informer: keeps an ObjectTable equal to what the API has of one type, by list and watch. Resumes a
// watch that ends, lists again where the API has forgotten (410), backs off where it fails. Shares
// the Values of whoever hands them out. On the loop's thread.
//
// The results of our own writes are put in at once (`absorb`), so that nobody who writes through this
// process decides on a state from before his write; older states that a watch still brings are
// dropped by their resourceVersion, and what was removed does not come back.

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "base/log.h"
#include "client/api_port.h"
#include "loop/loop.h"
#include "plan/core/memory_snapshot.h"

namespace orch::client {

Target target_of(const plan::Type& type);

class Informer {
 public:
  using OnChange = std::function<void(const plan::Type& type, const Value& old, const Value& now)>;

  // Which objects of the type; by default all of them.
  struct Filter {
    std::string ns;
    std::string field_selector;
  };
  // `table` and what `type` borrows outlive the informer.
  Informer(loop::Loop& loop, ApiPort& api, const plan::Type& type, plan::ObjectTable& table, Logger logger,
           OnChange on_change, Filter filter = Filter());

  loop::Task<void> run();  // until cancelled
  bool is_synced() const { return synced_.is_set(); }
  loop::Event& synced() { return synced_; }
  const plan::Type& type() const { return type_; }

  void absorb(const Value& object);
  void absorb_removal(const std::string& ns, const std::string& name, const std::string& uid);

 private:
  Target target() const;
  loop::Task<void> list_all();
  loop::Task<void> follow();
  void apply(const WatchEvent& event);
  void put(const Value& object);
  void remember_removal(const std::string& uid);
  void erase(const std::string& ns, const std::string& name);

  loop::Loop& loop_;
  ApiPort& api_;
  plan::Type type_;
  plan::ObjectTable& table_;
  Logger logger_;
  OnChange on_change_;
  Filter filter_;
  loop::Event synced_;
  std::string resource_version_;  // to watch from; "": list first
  // Objects that are gone, for a while: neither a late event nor a late answer brings them back.
  struct Removal {
    std::string uid;
    Mono at;
  };
  std::set<std::string> removed_;
  std::deque<Removal> removals_;
};

}  // namespace orch::client
