#pragma once
// A thin skin over SQLite: one connection, prepared statements, errors that say what to do.
// The only file that may include sqlite3.h is sqlite.cpp. A Database is used by one thread at a time.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;
struct sqlite3_backup;

namespace orch::store {

class Database;

// Columns and parameters count from 0 and 1, as in SQLite. Text and blobs that are bound must
// outlive the step; those of a column live until the next one.
class Statement {
 public:
  Statement() = default;
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();

  void bind(int parameter, int64_t value);
  void bind_text(int parameter, std::string_view text);
  void bind_blob(int parameter, std::string_view bytes);
  Result<bool> step();    // true: there is a row
  Result<void> finish();  // steps to the end and rewinds
  void rewind();

  int64_t integer(int column) const;
  std::string_view text(int column) const;
  std::string_view blob(int column) const;

 private:
  friend class Database;
  Statement(Database* database, sqlite3_stmt* statement) : database_(database), statement_(statement) {}
  Database* database_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
};

// A copy of a database made in small steps between other work; a write to the source through its own
// connection goes to the copy too.
class Backup {
 public:
  static Result<std::unique_ptr<Backup>> start(Database& from, const std::string& path);
  ~Backup();
  Backup(const Backup&) = delete;
  Backup& operator=(const Backup&) = delete;
  Result<bool> step(int pages);  // true: there is more; false: the copy is complete and closed

 private:
  Backup(std::unique_ptr<Database> to, sqlite3_backup* handle);
  std::unique_ptr<Database> to_;
  sqlite3_backup* handle_;
};

class Database {
 public:
  enum class Mode : uint8_t { read_only, read_write };
  // Makes the file if it is not there (read_write). `vfs`: "" for the usual one.
  static Result<std::unique_ptr<Database>> open(const std::string& path, Mode mode,
                                                const std::string& vfs);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  Result<void> run(const char* sql);  // one or several statements without parameters or rows
  Result<Statement> prepare(const char* sql);
  Result<int64_t> integer(const char* sql);    // the first column of the first row; 0 without rows
  Result<std::string> text(const char* sql);   // likewise; "" without rows
  bool in_transaction() const;

  // After this, nothing checkpoints the write-ahead log but the calls below.
  void watch_wal();
  int wal_pages() const { return wal_pages_; }  // after the newest commit
  // Moves the log's pages into the database file; `truncate` also cuts the log's file to nothing.
  Result<void> checkpoint(bool truncate);

  // Whether SQLite has found the file damaged since open().
  bool damaged() const { return damaged_; }
  const std::string& path() const { return path_; }

 private:
  friend class Statement;
  friend class Backup;
  Database(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}
  Error failure(int code, std::string_view what);

  sqlite3* handle_;
  std::string path_;
  int wal_pages_ = 0;
  bool damaged_ = false;
};

}  // namespace orch::store
