#pragma once
// Opening the database file: format, lock, check after an unclean end, repair. The format and the
// rules of recovery are in docs/store.md. Blocking; used before the store serves anybody.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/files.h"
#include "store/sqlite.h"
#include "store/store.h"

namespace orch::store {

// What was found and done at open().
struct OpenReport {
  bool created = false;    // there was no database
  bool unclean = false;    // the last run did not close it
  std::string damage;      // what was wrong with the file; "" if nothing
  std::string kept_aside;  // where the damaged file is now
  std::string snapshot;    // the snapshot that went into the repair
  size_t salvaged = 0;     // objects that the damaged file still had
};

struct FileOptions {
  std::string directory;
  bool sync = true;  // false: a power cut may lose acknowledged writes (tests)
  std::string vfs;   // SQLite's name of the file system layer; "" for the usual one
  Revision revision_block = 100'000;
};

struct OpenedFile {
  explicit OpenedFile(FileLock held) : lock(std::move(held)) {}
  FileLock lock;
  std::unique_ptr<Database> database;
  std::vector<StoredPtr> objects;
  Revision start = 1;
  Revision ceiling = 1;
  std::string cluster_id;
  OpenReport report;
};

// Errors: Code::io; the message says what to do.
Result<OpenedFile> open_file(const FileOptions& options);

inline constexpr int kFormat = 1;
inline constexpr int kApplication = 0x6f726368;  // "orch"
inline constexpr int kSnapshots = 2;
inline constexpr int kDamagedKept = 3;
inline constexpr const char* kSnapshotSuffix = ".backup.";
inline constexpr const char* kDamagedSuffix = ".damaged-";

// One row of the table of objects.
struct Row {
  std::string key;
  Revision created = 0;
  Revision revision = 0;
  std::string json;
};

// The pieces, for recovery.cpp.
Result<void> write_schema(Database& database);
Result<void> write_meta(Database& database, std::string_view name, std::string_view value);
Result<std::string> read_meta(Database& database, std::string_view name);  // "": not there
Result<int64_t> read_meta_integer(Database& database, std::string_view name);

}  // namespace orch::store
