#include "store/recovery.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>

#include "data/json.h"

namespace orch::store {

namespace {

using Rows = std::map<std::string, Row>;

// More than could have been given out since the newest row or snapshot that is left.
constexpr Revision kGap = 1'000'000'000;

struct Salvage {
  Rows rows;
  bool complete = true;  // nothing was unreadable
  Revision newest = 0;   // of rows and of the ceiling
  std::string cluster_id;
};

enum class Direction : uint8_t { up, down };

bool keep(Statement& statement, Salvage& salvage) {
  Row row{std::string(statement.text(1)), statement.integer(2), statement.integer(3),
          std::string(statement.blob(4))};
  if (row.key.empty() || row.revision <= 0 || !parse_json(row.json).ok()) return false;
  salvage.newest = std::max(salvage.newest, row.revision);
  Row& place = salvage.rows[row.key];
  if (place.revision < row.revision) place = std::move(row);
  return true;
}

// Walks the table by row id. Where it cannot go on, it starts again behind the hole: one id further,
// then two, four, ... The walk in the other direction finds the hole's other edge.
void walk(Database& database, Direction direction, Salvage& salvage) {
  bool up = direction == Direction::up;
  auto statement = database.prepare(
      up ? "SELECT id, key, created, revision, value FROM object WHERE id > ?1 ORDER BY id"
         : "SELECT id, key, created, revision, value FROM object WHERE id < ?1 ORDER BY id DESC");
  if (!statement.ok()) {
    salvage.complete = false;
    return;
  }
  constexpr int64_t kLast = std::numeric_limits<int64_t>::max() / 4;
  int64_t at = up ? 0 : kLast;
  for (int64_t skip = 0; skip <= kLast;) {
    int64_t from = up ? at + skip : at - skip;
    if (from < 0 || from > kLast) break;
    statement->bind(1, from);
    Result<bool> more = statement->step();
    while (more.ok() && *more) {
      at = statement->integer(0);
      skip = 0;
      if (!keep(*statement, salvage)) salvage.complete = false;
      more = statement->step();
    }
    statement->rewind();
    if (more.ok()) break;
    salvage.complete = false;
    skip = skip == 0 ? 1 : skip * 2;
  }
}

Salvage read_what_is_left(const std::string& path, const std::string& vfs) {
  Salvage salvage;
  auto database = Database::open(path, Database::Mode::read_write, vfs);
  if (!database.ok() || !(*database)->run("PRAGMA locking_mode=EXCLUSIVE").ok()) {
    salvage.complete = false;
    return salvage;
  }
  walk(**database, Direction::up, salvage);
  if (!salvage.complete) walk(**database, Direction::down, salvage);
  if (auto ceiling = read_meta_integer(**database, "ceiling"); ceiling.ok()) {
    salvage.newest = std::max(salvage.newest, *ceiling);
  }
  if (auto id = read_meta(**database, "cluster_id"); id.ok()) salvage.cluster_id = *id;
  return salvage;
}

// The newest snapshot without a fault.
std::optional<Salvage> read_snapshot(const std::string& path, OpenReport& report) {
  for (int n = 1; n <= kSnapshots; ++n) {
    std::string name = path + kSnapshotSuffix + std::to_string(n);
    if (!file_exists(name)) continue;
    {
      auto database = Database::open(name, Database::Mode::read_write, "");
      if (!database.ok() || !(*database)->run("PRAGMA locking_mode=EXCLUSIVE").ok()) continue;
      auto state = (*database)->text("PRAGMA integrity_check(1)");
      if (!state.ok() || *state != "ok") continue;
      auto format = (*database)->integer("PRAGMA user_version");
      if (!format.ok() || *format > kFormat) continue;
    }
    Salvage salvage = read_what_is_left(name, "");
    if (!salvage.complete) continue;
    report.snapshot = name;
    return salvage;
  }
  return std::nullopt;
}

Result<void> write_rows(Database& database, const Salvage& salvage) {
  TRY_VOID(database.run("PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=OFF;"
                        "PRAGMA synchronous=OFF"));
  TRY_VOID(write_schema(database));
  TRY_VOID(database.run("BEGIN IMMEDIATE"));
  TRY(Statement put, database.prepare("INSERT INTO object(key, created, revision, value)"
                                      " VALUES(?1, ?2, ?3, ?4)"));
  for (const auto& [key, row] : salvage.rows) {
    put.bind_text(1, row.key);
    put.bind(2, row.created);
    put.bind(3, row.revision);
    put.bind_blob(4, row.json);
    TRY_VOID(put.finish());
  }
  if (!salvage.cluster_id.empty()) TRY_VOID(write_meta(database, "cluster_id", salvage.cluster_id));
  TRY_VOID(write_meta(database, "ceiling", std::to_string(salvage.newest + kGap)));
  TRY_VOID(write_meta(database, "clean", "1"));
  return database.run("COMMIT");
}

// The snapshot is the base only where the damaged file has holes: it would bring back what was
// deleted since.
Salvage merge(Salvage salvage, std::optional<Salvage> snapshot) {
  if (!snapshot) return salvage;
  for (auto& [key, row] : snapshot->rows) {
    Row& place = salvage.rows[key];
    if (place.revision < row.revision) place = std::move(row);
  }
  salvage.newest = std::max(salvage.newest, snapshot->newest);
  if (salvage.cluster_id.empty()) salvage.cluster_id = snapshot->cluster_id;
  return salvage;
}

}  // namespace

Result<void> repair(const std::string& directory, const std::string& path, const std::string& vfs,
                    OpenReport& report) {
  Salvage salvage = read_what_is_left(path, vfs);
  report.salvaged = salvage.rows.size();
  if (!salvage.complete) salvage = merge(std::move(salvage), read_snapshot(path, report));
  const std::string fresh = path + ".new";
  remove_file(fresh);
  TRY_VOID(make_private_file(fresh));
  {
    TRY(auto database, Database::open(fresh, Database::Mode::read_write, ""));
    TRY_VOID(write_rows(*database, salvage));
  }
  TRY_VOID(sync_file(fresh));
  // From here on finish_repair() can end it at the next start.
  TRY_VOID(rename_file(fresh, path + ".repaired"));
  return finish_repair(directory, path, report);
}

Result<void> finish_repair(const std::string& directory, const std::string& path, OpenReport& report) {
  const std::string repaired = path + ".repaired";
  if (!file_exists(repaired)) return {};
  const std::string aside = path + kDamagedSuffix + "1";
  // The write-ahead log first: it must never meet the new file.
  if (file_exists(path + "-wal") || file_exists(path)) {
    rotate_files(path, std::string(kDamagedSuffix) + "wal-", kDamagedKept);
    rotate_files(path, kDamagedSuffix, kDamagedKept);
  }
  if (file_exists(path + "-wal")) {
    TRY_VOID(rename_file(path + "-wal", path + kDamagedSuffix + "wal-1"));
  }
  if (file_exists(path)) {
    TRY_VOID(rename_file(path, aside));
    report.kept_aside = aside;
  }
  TRY_VOID(sync_directory(directory));
  TRY_VOID(rename_file(repaired, path));
  return sync_directory(directory);
}

}  // namespace orch::store
