#pragma once
// Informers: one Informer for each type somebody looks at, the Snapshot they fill together, and who
// wants to hear of changes. Owns them; destroying it stops them.

#include <memory>
#include <vector>

#include "client/informer.h"
#include "loop/scope.h"

namespace orch::client {

class Informers {
 public:
  Informers(loop::Loop& loop, ApiPort& api, Logger logger);

  // Before start(). A type that is not `watched` is only known. Adding one twice does nothing. The
  // texts of the type are copied.
  void add(const plan::Snapshot::KnownType& known);
  // Called for each change of any type, right after the snapshot has it.
  void on_change(Informer::OnChange listener) { listeners_.push_back(std::move(listener)); }
  void start();

  const plan::Snapshot& snapshot() const { return snapshot_; }
  // Returns once every type has been listed.
  loop::Task<void> wait_synced();
  bool is_synced() const;
  size_t size() const { return informers_.size(); }

  // The result of a write of ours: an object, or the Status of a removal.
  void absorb(const plan::Ref& ref, const Value& result, const std::string& removed_uid = {});

 private:
  void tell(const plan::Type& type, const Value& old, const Value& now);

  loop::Loop& loop_;
  ApiPort& api_;
  Logger logger_;
  std::vector<std::unique_ptr<std::string>> texts_;
  plan::MemorySnapshot snapshot_;
  std::vector<std::unique_ptr<Informer>> informers_;
  std::vector<Informer::OnChange> listeners_;
  loop::Scope scope_;  // last: its tasks use the others
};

}  // namespace orch::client
