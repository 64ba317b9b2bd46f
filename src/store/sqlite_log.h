#pragma once
// SqliteLog: the Log on an open database file, with a thread of its own: one transaction and one
// fsync a batch, acknowledged before any housekeeping. Housekeeping follows writes only, so an idle
// store writes nothing: checkpoints keep the write-ahead log short, freed pages go back to the file
// system in small steps, and a snapshot is copied in small steps after enough change.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "loop/loop.h"
#include "store/log.h"
#include "store/sqlite_file.h"

namespace orch::store {

struct Housekeeping {
  int checkpoint_pages = 1000;          // of write-ahead log (4 KiB each) before it is checkpointed
  int vacuum_pages = 256;               // given back in one step
  int64_t snapshot_churn = 4 << 20;     // a snapshot after this many bytes of log, and 4 file sizes ...
  std::chrono::hours snapshot_age{24};  // ... or after any change, when this old
  std::chrono::milliseconds pause{50};  // between two steps when nobody writes
};

class SqliteLog final : public Log {
 public:
  SqliteLog(loop::Loop& loop, OpenedFile file, Housekeeping housekeeping);
  ~SqliteLog() override;  // ends what is queued; without close() the next open() checks the file

  bool wants_json() const override { return true; }
  void commit(Batch batch, Done done) override;
  void close(Revision last, Done done) override;

 private:
  using Job = std::function<Result<void>()>;
  struct Statements;
  struct Queued {
    Job job;
    Done done;
  };

  void enqueue(Queued queued);
  // On the writer's thread:
  void run(const std::stop_token& stop);
  Result<void> write(const Batch& batch);
  Result<void> write_once(const Batch& batch);
  Result<void> finish(Revision last);
  void after_commit();
  bool has_chores() const;
  void do_chore();
  void vacuum_step();
  void look_at_free_pages();
  bool snapshot_due();
  void snapshot_step(int pages);
  void end_snapshot(bool complete);

  loop::Loop& loop_;
  Housekeeping housekeeping_;
  FileLock lock_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<Statements> statements_;
  std::string path_;

  std::unique_ptr<Backup> snapshot_;
  int64_t churn_ = 0;  // bytes of log since the last snapshot
  std::chrono::steady_clock::time_point last_snapshot_;
  bool vacuuming_ = false;
  int wal_pages_ = 0;

  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::optional<Queued> queued_;  // under mutex_
  std::jthread thread_;           // the last member: it uses the others
};

}  // namespace orch::store
