#include "store/sqlite_store.h"

#include <malloc.h>
#include <utility>

namespace orch::store {

namespace {

void tell(const OpenReport& report, size_t objects, const Logger& log) {
  if (!report.damage.empty()) {
    log.error("the database was damaged and has been repaired",
              {{"damage", report.damage},
               {"kept_aside", report.kept_aside},
               {"salvaged", report.salvaged},
               {"snapshot", report.snapshot.empty() ? std::string("none needed or found") : report.snapshot}});
  } else if (report.unclean) {
    log.info("the database was not closed last time; checked, it is whole", {{"objects", objects}});
  }
}

}  // namespace

SqliteStore::SqliteStore(loop::Loop& loop, CoreOptions options, Housekeeping housekeeping,
                         OpenedFile& file)
    : CoreStore(loop, std::move(options), nullptr, std::move(file.objects), file.start, file.ceiling),
      report_(file.report),
      cluster_id_(file.cluster_id) {
  set_log(std::make_unique<SqliteLog>(loop, std::move(file), housekeeping));
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(loop::Loop& loop, SqliteOptions options,
                                                       const Logger& log) {
  TRY(OpenedFile file, open_file({.directory = options.directory,
                                  .sync = options.sync,
                                  .vfs = options.vfs,
                                  .revision_block = options.core.revision_block}));
  ::malloc_trim(0);  // reading left holes behind
  tell(file.report, file.objects.size(), log);
  return std::unique_ptr<SqliteStore>(
      new SqliteStore(loop, std::move(options.core), options.housekeeping, file));
}

}  // namespace orch::store
