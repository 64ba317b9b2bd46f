#pragma once
// SqliteStore: the Store on <directory>/state.db (docs/store.md).

#include <memory>
#include <string>

#include "base/log.h"
#include "store/core_store.h"
#include "store/sqlite_file.h"
#include "store/sqlite_log.h"

namespace orch::store {

struct SqliteOptions {
  std::string directory;  // <data-dir>/server/db; made with mode 0700
  CoreOptions core;
  Housekeeping housekeeping;
  bool sync = true;  // false: a power cut may lose acknowledged writes (tests)
  std::string vfs;   // SQLite's file system layer; "" for the usual one
};

class SqliteStore final : public CoreStore {
 public:
  // Blocks: checks, repairs and loads. Errors: Code::io, with what to do about it: the directory is
  // read-only, full, in use by another process, or of a newer version.
  static Result<std::unique_ptr<SqliteStore>> open(loop::Loop& loop, SqliteOptions options,
                                                   const Logger& log);

  const OpenReport& report() const { return report_; }
  const std::string& cluster_id() const { return cluster_id_; }

 private:
  SqliteStore(loop::Loop& loop, CoreOptions options, Housekeeping housekeeping, OpenedFile& file);
  OpenReport report_;
  std::string cluster_id_;
};

}  // namespace orch::store
