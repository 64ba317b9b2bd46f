#include "store/sqlite.h"

#include <sqlite3.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace orch::store {

namespace {

// What to tell the user, by SQLite's primary result code.
struct Advice {
  int code;
  const char* text;
};
constexpr Advice kAdvice[] = {
    {SQLITE_FULL, "the disk is full; nothing was changed. Free some space: writes are tried again"},
    {SQLITE_IOERR, "the disk reports an error; nothing was changed"},
    {SQLITE_READONLY, "the data directory is read-only; make it writable or choose another --data-dir"},
    {SQLITE_PERM, "no permission; run as the directory's owner or choose another --data-dir"},
    {SQLITE_CANTOPEN, "cannot open the file; check the data directory's permissions and free space"},
    {SQLITE_BUSY, "another process uses the file; stop it or choose another --data-dir"},
    {SQLITE_CORRUPT, "the file is damaged; a restart repairs it"},
    {SQLITE_NOTADB, "the file is damaged; a restart repairs it"},
    {SQLITE_NOMEM, "out of memory"},
};

}  // namespace

// ---- Statement

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), statement_(std::exchange(other.statement_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(database_, other.database_);
  std::swap(statement_, other.statement_);
  return *this;
}

Statement::~Statement() { sqlite3_finalize(statement_); }

void Statement::bind(int parameter, int64_t value) {
  sqlite3_bind_int64(statement_, parameter, value);
}

void Statement::bind_text(int parameter, std::string_view text) {
  sqlite3_bind_text64(statement_, parameter, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

void Statement::bind_blob(int parameter, std::string_view bytes) {
  sqlite3_bind_blob64(statement_, parameter, bytes.data(), bytes.size(), SQLITE_STATIC);
}

Result<bool> Statement::step() {
  int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  Error error = database_->failure(code, "");
  sqlite3_reset(statement_);
  return error;
}

Result<void> Statement::finish() {
  for (;;) {
    TRY(bool more, step());
    if (!more) break;
  }
  rewind();
  return {};
}

void Statement::rewind() { sqlite3_reset(statement_); }

int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string_view Statement::text(int column) const {
  const auto* bytes = sqlite3_column_text(statement_, column);
  if (!bytes) return {};
  return {reinterpret_cast<const char*>(bytes),
          static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

std::string_view Statement::blob(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  if (!bytes) return {};
  return {static_cast<const char*>(bytes),
          static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

// ---- Backup

Backup::Backup(std::unique_ptr<Database> to, sqlite3_backup* handle)
    : to_(std::move(to)), handle_(handle) {}

Backup::~Backup() {
  if (handle_) sqlite3_backup_finish(handle_);
}

Result<std::unique_ptr<Backup>> Backup::start(Database& from, const std::string& path) {
  TRY(auto to, Database::open(path, Database::Mode::read_write, ""));
  // A half-made copy is thrown away, so its own journal would protect nothing.
  TRY_VOID(to->run("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE"));
  sqlite3_backup* handle = sqlite3_backup_init(to->handle_, "main", from.handle_, "main");
  if (!handle) return to->failure(sqlite3_errcode(to->handle_), "start a snapshot");
  return std::unique_ptr<Backup>(new Backup(std::move(to), handle));
}

Result<bool> Backup::step(int pages) {
  int code = sqlite3_backup_step(handle_, pages);
  if (code == SQLITE_OK) return true;
  Error error = to_->failure(code, "write a snapshot");
  sqlite3_backup_finish(std::exchange(handle_, nullptr));
  to_.reset();
  if (code == SQLITE_DONE) return false;
  return error;
}

// ---- Database

Result<std::unique_ptr<Database>> Database::open(const std::string& path, Mode mode,
                                                 const std::string& vfs) {
  int flags = mode == Mode::read_only ? SQLITE_OPEN_READONLY
                                      : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  sqlite3* handle = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX,
                             vfs.empty() ? nullptr : vfs.c_str());
  std::unique_ptr<Database> database(new Database(handle, path));
  if (code != SQLITE_OK) return database->failure(code, "open");
  sqlite3_extended_result_codes(handle, 1);
  return database;
}

Database::~Database() { sqlite3_close_v2(handle_); }

Error Database::failure(int code, std::string_view what) {
  int primary = code & 0xff;
  if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB) damaged_ = true;
  std::string message = path_ + ": ";
  if (!what.empty()) message.append(what).append(": ");
  const char* advice = nullptr;
  for (const Advice& entry : kAdvice) {
    if (entry.code == primary) advice = entry.text;
  }
  message += advice ? advice : sqlite3_errmsg(handle_);
  int system = handle_ ? sqlite3_system_errno(handle_) : 0;
  if (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) {
    if (system != 0) {
      char buffer[128];
      message += std::string(" (") + strerror_r(system, buffer, sizeof buffer) + ")";
    }
  }
  return Error::make(Code::io, std::move(message));
}

Result<void> Database::run(const char* sql) {
  int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(code, "");
  return {};
}

Result<Statement> Database::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return failure(code, "");
  return Statement(this, statement);
}

Result<int64_t> Database::integer(const char* sql) {
  TRY(Statement statement, prepare(sql));
  TRY(bool row, statement.step());
  return row ? statement.integer(0) : 0;
}

Result<std::string> Database::text(const char* sql) {
  TRY(Statement statement, prepare(sql));
  TRY(bool row, statement.step());
  return row ? std::string(statement.text(0)) : std::string();
}

bool Database::in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }

void Database::watch_wal() {
  auto hook = [](void* self, sqlite3*, const char*, int pages) {
    static_cast<Database*>(self)->wal_pages_ = pages;
    return SQLITE_OK;
  };
  sqlite3_wal_hook(handle_, hook, this);
}

Result<void> Database::checkpoint(bool truncate) {
  int in_log = 0, moved = 0;
  int code = sqlite3_wal_checkpoint_v2(
      handle_, "main", truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, &in_log,
      &moved);
  if (code != SQLITE_OK) return failure(code, "checkpoint");
  // The next commit starts at the log's beginning again.
  if (in_log == moved) wal_pages_ = 0;
  return {};
}

}  // namespace orch::store
