#include "store/sqlite_log.h"

#include <algorithm>
#include <csignal>
#include <pthread.h>
#include <utility>

#include "base/check.h"

namespace orch::store {

namespace {

constexpr int64_t kPage = 4096;

}  // namespace

struct SqliteLog::Statements {
  Statement put;
  Statement erase;
};

SqliteLog::SqliteLog(loop::Loop& loop, OpenedFile file, Housekeeping housekeeping)
    : loop_(loop),
      housekeeping_(housekeeping),
      lock_(std::move(file.lock)),
      database_(std::move(file.database)),
      path_(database_->path()),
      last_snapshot_(std::chrono::steady_clock::now()) {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

SqliteLog::~SqliteLog() {
  thread_.request_stop();
  thread_.join();
  snapshot_.reset();
  statements_.reset();
}

void SqliteLog::commit(Batch batch, Done done) {
  auto shared = std::make_shared<const Batch>(std::move(batch));
  enqueue({[this, shared] { return write(*shared); }, std::move(done)});
}

void SqliteLog::close(Revision last, Done done) {
  enqueue({[this, last] { return finish(last); }, std::move(done)});
}

void SqliteLog::enqueue(Queued queued) {
  {
    std::lock_guard guard(mutex_);
    ORCH_CHECK(!queued_);
    queued_ = std::move(queued);
  }
  wake_.notify_one();
}

// ---- the writer's thread

void SqliteLog::run(const std::stop_token& stop) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  pthread_setname_np(pthread_self(), "store");
  look_at_free_pages();
  std::unique_lock guard(mutex_);
  auto queued = [this] { return queued_.has_value(); };
  for (;;) {
    if (has_chores()) {
      wake_.wait_for(guard, stop, housekeeping_.pause, queued);
    } else {
      wake_.wait(guard, stop, queued);
    }
    std::optional<Queued> next = std::exchange(queued_, std::nullopt);
    if (!next && stop.stop_requested()) return;
    guard.unlock();
    if (next) {
      Result<void> result = next->job();
      next->job = nullptr;
      loop_.post([done = std::move(next->done), result = std::move(result)] { done(result); });
      after_commit();
    } else {
      do_chore();
    }
    guard.lock();
  }
}

Result<void> SqliteLog::write(const Batch& batch) {
  if (!database_) return Error::make(Code::closed, "the store is closed");
  auto result = write_once(batch);
  if (result.ok()) return result;
  // The log may have no room to grow, but the file: then it starts from its beginning again.
  if (snapshot_) end_snapshot(false);
  if (database_->damaged() || !database_->checkpoint(false).ok()) return result;
  return write_once(batch);
}

Result<void> SqliteLog::write_once(const Batch& batch) {
  if (!statements_) {
    TRY(Statement put, database_->prepare(
                           "INSERT INTO object(key, created, revision, value) VALUES(?1, ?2, ?3, ?4)"
                           " ON CONFLICT(key) DO UPDATE SET created = excluded.created,"
                           " revision = excluded.revision, value = excluded.value"));
    TRY(Statement erase, database_->prepare("DELETE FROM object WHERE key = ?1"));
    statements_ = std::make_unique<Statements>(Statements{std::move(put), std::move(erase)});
  }
  auto fill = [&]() -> Result<void> {
    TRY_VOID(database_->run("BEGIN IMMEDIATE"));
    for (const Record& record : batch.records) {
      Statement& statement = record.removed ? statements_->erase : statements_->put;
      statement.bind_text(1, record.object->key);
      if (!record.removed) {
        statement.bind(2, record.object->created);
        statement.bind(3, record.object->revision);
        statement.bind_blob(4, *record.json);
      }
      TRY_VOID(statement.finish());
    }
    if (batch.ceiling) TRY_VOID(write_meta(*database_, "ceiling", std::to_string(*batch.ceiling)));
    return database_->run("COMMIT");
  };
  auto result = fill();
  if (!result.ok() && database_->in_transaction()) (void)database_->run("ROLLBACK");
  return result;
}

Result<void> SqliteLog::finish(Revision last) {
  if (!database_) return {};
  if (snapshot_) end_snapshot(false);
  auto mark = [&]() -> Result<void> {
    TRY_VOID(database_->run("BEGIN IMMEDIATE"));
    TRY_VOID(write_meta(*database_, "ceiling", std::to_string(last)));
    // A file that SQLite has found damaged is to be checked at the next start.
    if (!database_->damaged()) TRY_VOID(write_meta(*database_, "clean", "1"));
    return database_->run("COMMIT");
  };
  auto result = mark();
  if (!result.ok() && database_->in_transaction()) (void)database_->run("ROLLBACK");
  if (result.ok()) (void)database_->checkpoint(true);  // failing costs only the next start some time
  statements_.reset();
  database_.reset();
  return result;
}

// ---- housekeeping

void SqliteLog::after_commit() {
  if (!database_) return;
  int grown = database_->wal_pages() - wal_pages_;
  churn_ += kPage * (grown > 0 ? grown : database_->wal_pages());
  if (database_->wal_pages() >= housekeeping_.checkpoint_pages) {
    // A reader-free log is moved whole and starts anew; what cannot be moved now (full disk) will be.
    (void)database_->checkpoint(false);
    look_at_free_pages();
    // Under constant load nothing is ever idle; a step here keeps the file's size in bounds.
    if (vacuuming_) vacuum_step();
  }
  wal_pages_ = database_->wal_pages();
  if (snapshot_) {
    snapshot_step(16);
  } else if (snapshot_due()) {
    snapshot_step(0);
  }
}

bool SqliteLog::has_chores() const { return database_ && (snapshot_ || vacuuming_); }

void SqliteLog::do_chore() {
  if (snapshot_) {
    snapshot_step(256);
  } else if (vacuuming_) {
    vacuum_step();
    if (database_->wal_pages() >= housekeeping_.checkpoint_pages) (void)database_->checkpoint(false);
    wal_pages_ = database_->wal_pages();
  }
}

// Free pages are room for the next writes; only more than a quarter of the file is too many.
void SqliteLog::look_at_free_pages() {
  auto free_pages = database_->integer("PRAGMA freelist_count");
  auto pages = database_->integer("PRAGMA page_count");
  vacuuming_ = free_pages.ok() && pages.ok() &&
               *free_pages > std::max<int64_t>(housekeeping_.vacuum_pages, *pages / 4);
}

void SqliteLog::vacuum_step() {
  if (snapshot_) return;
  std::string step = "PRAGMA incremental_vacuum(" + std::to_string(housekeeping_.vacuum_pages) + ")";
  if (database_->run(step.c_str()).ok()) {
    look_at_free_pages();
  } else {
    vacuuming_ = false;  // until the next checkpoint
  }
}

bool SqliteLog::snapshot_due() {
  if (churn_ == 0 || vacuuming_) return false;
  if (std::chrono::steady_clock::now() - last_snapshot_ >= housekeeping_.snapshot_age) return true;
  return churn_ >= housekeeping_.snapshot_churn && churn_ >= 4 * file_size(path_);
}

void SqliteLog::snapshot_step(int pages) {
  if (!snapshot_) {
    remove_file(path_ + ".snapshot");
    auto started = make_private_file(path_ + ".snapshot");
    auto snapshot = Backup::start(*database_, path_ + ".snapshot");
    if (!started.ok() || !snapshot.ok()) return end_snapshot(false);
    snapshot_ = std::move(*snapshot);
  }
  if (pages == 0) return;
  auto more = snapshot_->step(pages);
  if (!more.ok() || !*more) end_snapshot(more.ok());
}

void SqliteLog::end_snapshot(bool complete) {
  snapshot_.reset();
  churn_ = 0;  // a failed one is tried again after as much change
  last_snapshot_ = std::chrono::steady_clock::now();
  const std::string unfinished = path_ + ".snapshot";
  if (complete && sync_file(unfinished).ok()) {
    rotate_files(path_, kSnapshotSuffix, kSnapshots);
    if (rename_file(unfinished, path_ + kSnapshotSuffix + "1").ok()) {
      (void)sync_directory(path_.substr(0, path_.rfind('/')));
    }
  }
  remove_file(unfinished);
}

}  // namespace orch::store
