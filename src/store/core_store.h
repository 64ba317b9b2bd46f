#pragma once
// CoreStore: the store but for the disk, as one class for SqliteStore and MemoryStore: it gives out
// revisions, judges conflicts, hands durable writes to a Log and publishes (state, history, watchers)
// in revision order what is decided. On the loop's thread.
//
// A key has at most one write that is not decided yet; other writers of the key wait for it and are
// judged against its outcome. So a write never depends on another that may still fail.
//
// Lifetime: Tasks and Watches of the store end before it (close() and a Scope see to that).

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "loop/loop.h"
#include "store/index.h"
#include "store/log.h"
#include "store/store.h"
#include "store/watch_hub.h"

namespace orch::store {

struct CoreOptions {
  HistoryLimits history;
  // Revisions are reserved on disk in blocks of this size; soft writes alone cost one disk write a block.
  Revision revision_block = 100'000;
  size_t max_object_bytes = 3u << 20;  // of JSON (heap where the log wants none): Code::too_large
  size_t batch_records = 1000;
  size_t batch_bytes = 8u << 20;
  // Which softly written objects close() keeps.
  std::function<bool(const Stored&)> keep_soft;
};

class CoreStore : public Store {
 public:
  // `objects`: the durable state; `start`: at least every revision ever given out, and at least 1.
  // `ceiling`: what the log has already promised.
  CoreStore(loop::Loop& loop, CoreOptions options, std::unique_ptr<Log> log,
            std::vector<StoredPtr> objects, Revision start, Revision ceiling);
  ~CoreStore() override;

  loop::Task<void> fresh() override;
  Revision revision() const override { return revision_; }
  StoredPtr get(std::string_view key) const override { return index_.find(key); }
  Result<RangeResult> range(std::string_view prefix, std::string_view after, size_t limit,
                            Revision at) const override;
  size_t count(std::string_view prefix) const override;
  std::shared_ptr<const std::string> bytes(const Stored& object) override;

  loop::Task<StoredPtr> create(std::string key, Value value, Stamp stamp, Durability how) override;
  loop::Task<StoredPtr> update(std::string key, Value value, Revision expected, Stamp stamp,
                               Durability how) override;
  loop::Task<StoredPtr> remove(std::string key, Revision expected, Stamp stamp) override;

  Result<std::unique_ptr<Watch>> watch(std::string prefix, Revision from) override;
  Revision compacted() const override { return hub_.history().compacted(); }
  loop::Task<void> close() override;

  // Drops history up to `revision`.
  void compact(Revision revision) { hub_.compact(revision); }
  // Ends every watch that waits or is asked next with Code::expired.
  void expire_watches() { hub_.expire_all(); }
  size_t pending() const;  // writes not decided yet

 protected:
  void set_log(std::unique_ptr<Log> log) { log_ = std::move(log); }

 private:
  struct Change;
  struct Ticket;
  struct Pending;
  class Decided;
  class Call;
  using Resumes = std::vector<loop::Wakeup::Resume>;

  loop::Task<StoredPtr> write(Change change);
  Result<std::shared_ptr<Ticket>> sequence(Change& change);
  Result<StoredPtr> judge(const Change& change) const;
  void schedule_flush();
  void flush();
  bool take_batch(Batch& batch);
  void committed(Result<void> result, std::optional<Revision> ceiling);
  void publish_decided();
  void publish(Pending& pending);
  void keep_warm(std::shared_ptr<const std::string> json);
  void wake(Resumes& resumes);
  bool wants_ceiling() const { return sequenced_ + options_.revision_block / 2 > ceiling_; }
  Batch soft_state_to_keep() const;
  Result<RangeResult> range_at(std::string_view prefix, std::string_view after, size_t limit,
                               Revision at) const;

  loop::Loop& loop_;
  CoreOptions options_;
  std::unique_ptr<Log> log_;
  Index index_;
  WatchHub hub_;
  Revision revision_;   // of what reads see
  Revision sequenced_;  // the last one given out
  Revision ceiling_;    // soft writes above it wait

  std::deque<Pending> pending_;  // in revision order; published from the front
  std::unordered_map<std::string_view, std::shared_ptr<Ticket>> undecided_;  // keys live in the ticket
  bool in_flight_ = false;
  bool flush_scheduled_ = false;
  bool closing_ = false;
  size_t batch_limit_;  // small after a failure, so that what still fits a full disk gets through
  // Keys whose newest version is not on disk -> whether an older one is.
  std::map<std::string, bool, std::less<>> soft_;
  // The JSON of what was written or read last, oldest first: each text once, also of versions that are gone.
  std::deque<std::shared_ptr<const std::string>> warm_;
  size_t warm_bytes_ = 0;
  Resumes settled_;
  std::shared_ptr<CoreStore*> self_;  // callbacks hold it weakly
};

}  // namespace orch::store
