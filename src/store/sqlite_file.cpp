#include "store/sqlite_file.h"

#include <algorithm>
#include <random>
#include <unordered_map>

#include "base/text.h"
#include "data/json.h"
#include "store/recovery.h"
#include "store/sharing.h"

namespace orch::store {

namespace {

constexpr const char* kSchema =
    "CREATE TABLE object(id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,"
    " revision INTEGER NOT NULL, value BLOB NOT NULL);"
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;";

std::string random_id() {
  std::random_device device;
  std::string bytes(16, '\0');
  for (char& byte : bytes) byte = static_cast<char>(device());
  return encode_hex(bytes);
}

Result<void> configure(Database& database, bool sync) {
  // Exclusive: no shared-memory file, and nobody else changes the file under us.
  TRY_VOID(database.run("PRAGMA locking_mode=EXCLUSIVE; PRAGMA auto_vacuum=INCREMENTAL;"
                        "PRAGMA journal_mode=WAL; PRAGMA journal_size_limit=16777216;"
                        "PRAGMA secure_delete=FAST; PRAGMA cache_size=-1024;"
                        "PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;"));
  TRY_VOID(database.run(sync ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=OFF"));
  database.watch_wal();
  return {};
}

// False: an empty file, to be filled. Refuses what is not ours or is from the future.
Result<bool> check_format(Database& database) {
  TRY(int64_t application, database.integer("PRAGMA application_id"));
  TRY(int64_t format, database.integer("PRAGMA user_version"));
  TRY(int64_t tables, database.integer("SELECT count(*) FROM sqlite_schema"));
  if (application == 0 && tables == 0) return false;
  if (application != kApplication) {
    return Error::make(Code::io, database.path() + ": this is another program's database; move it away "
                                                   "or choose another --data-dir");
  }
  if (format > kFormat) {
    return Error::make(Code::io, database.path() + ": written by a newer orch (format " +
                                     std::to_string(format) + ", this one knows " +
                                     std::to_string(kFormat) +
                                     "); run that version or a newer one; nothing was changed");
  }
  return true;
}

// "ok", or what is wrong first.
Result<std::string> check_integrity(Database& database) { return database.text("PRAGMA quick_check(1)"); }

// Objects of one stem are alike: "/registry/pods/default/web-7d9f8b6c5d-" x2k4p.
std::string_view stem_of(std::string_view key) { return key.substr(0, key.find_last_of("-/") + 1); }

// All objects. A row that is no JSON counts as damage, in `damage`.
Result<std::vector<StoredPtr>> load_objects(Database& database, std::string& damage) {
  // In the order of the file, so that it is read once from front to back.
  TRY(Statement rows, database.prepare("SELECT key, created, revision, value FROM object"));
  KeyCache keys;
  JsonOptions json;
  json.keys = &keys;
  std::unordered_map<std::string_view, StoredPtr> newest;  // of each stem; the key is the object's
  std::vector<StoredPtr> objects;
  for (;;) {
    TRY(bool more, rows.step());
    if (!more) break;
    std::string key(rows.text(0));
    auto value = parse_json(rows.blob(3), json);
    if (key.empty() || !value.ok()) {
      damage = "the object " + quote(key) + " cannot be read";
      return std::vector<StoredPtr>();
    }
    // Shared at once: 10,000 alike never take the room of 10,000.
    auto model = newest.find(stem_of(key));
    if (model != newest.end()) *value = share_storage(model->second->value, *value);
    objects.push_back(std::make_shared<const Stored>(std::move(key), std::move(*value),
                                                     rows.integer(1), rows.integer(2)));
    if (model != newest.end()) newest.erase(model);
    newest.emplace(stem_of(objects.back()->key), objects.back());
  }
  return objects;
}

// Says on disk that the file is in use, and that revisions up to the ceiling may be given out.
Result<void> mark_open(Database& database, OpenedFile& opened, Revision block) {
  TRY(Revision promised, read_meta_integer(database, "ceiling"));
  opened.start = std::max<Revision>(promised, 1);
  for (const StoredPtr& object : opened.objects) {
    opened.start = std::max(opened.start, object->revision);
  }
  opened.ceiling = opened.start + block;
  TRY(opened.cluster_id, read_meta(database, "cluster_id"));
  TRY_VOID(database.run("BEGIN IMMEDIATE"));
  if (opened.cluster_id.empty()) {
    opened.cluster_id = random_id();
    TRY_VOID(write_meta(database, "cluster_id", opened.cluster_id));
  }
  TRY_VOID(write_meta(database, "ceiling", std::to_string(opened.ceiling)));
  TRY_VOID(write_meta(database, "clean", "0"));
  return database.run("COMMIT");
}

// Errors with report.damage set are for repair().
Result<void> open_database(const FileOptions& options, const std::string& path, OpenedFile& opened) {
  OpenReport& report = opened.report;
  auto damaged = [&](const Error& error) {
    if (opened.database && opened.database->damaged()) report.damage = error.message();
    return error;
  };
  // Some file systems leave an empty file behind after a power cut.
  if (report.damage.empty() && file_exists(path) && file_size(path) == 0 &&
      file_size(path + "-wal") == 0 && file_exists(path + kSnapshotSuffix + "1")) {
    report.damage = "the file is empty";
    return Error::make(Code::io, path + ": the file is empty");
  }
  TRY_VOID(make_private_file(path));
  TRY(opened.database, Database::open(path, Database::Mode::read_write, options.vfs));
  Database& database = *opened.database;
  auto configured = configure(database, options.sync);
  if (!configured.ok()) return damaged(configured.error());
  auto ours = check_format(database);
  if (!ours.ok()) return damaged(ours.error());
  if (!*ours) {
    report.created = true;
    TRY_VOID(write_schema(database));
  }
  auto clean = read_meta_integer(database, "clean");
  if (!clean.ok()) return damaged(clean.error());
  report.unclean = !report.created && *clean != 1;
  if (report.unclean) {
    auto state = check_integrity(database);
    if (!state.ok()) return damaged(state.error());
    if (*state != "ok") {
      report.damage = *state;
      return Error::make(Code::io, path + ": damaged: " + *state);
    }
  }
  std::string unreadable;
  auto objects = load_objects(database, unreadable);
  if (!objects.ok()) return damaged(objects.error());
  if (!unreadable.empty()) {
    report.damage = unreadable;
    return Error::make(Code::io, path + ": damaged: " + unreadable);
  }
  opened.objects = std::move(*objects);
  auto marked = mark_open(database, opened, options.revision_block);
  if (!marked.ok()) return damaged(marked.error());
  return database.run("PRAGMA shrink_memory");
}

}  // namespace

Result<void> write_schema(Database& database) {
  TRY_VOID(database.run("BEGIN IMMEDIATE"));
  std::string head = "PRAGMA application_id=" + std::to_string(kApplication) +
                     "; PRAGMA user_version=" + std::to_string(kFormat) + ";";
  auto written = database.run((head + kSchema + "COMMIT").c_str());
  if (!written.ok()) (void)database.run("ROLLBACK");
  return written;
}

Result<void> write_meta(Database& database, std::string_view name, std::string_view value) {
  TRY(Statement put, database.prepare("INSERT OR REPLACE INTO meta(name, value) VALUES(?1, ?2)"));
  put.bind_text(1, name);
  put.bind_text(2, value);
  return put.finish();
}

Result<std::string> read_meta(Database& database, std::string_view name) {
  TRY(Statement get, database.prepare("SELECT value FROM meta WHERE name = ?1"));
  get.bind_text(1, name);
  TRY(bool found, get.step());
  return found ? std::string(get.text(0)) : std::string();
}

Result<int64_t> read_meta_integer(Database& database, std::string_view name) {
  TRY(std::string text, read_meta(database, name));
  return parse_int(text).value_or(0);
}

Result<OpenedFile> open_file(const FileOptions& options) {
  TRY_VOID(make_directory(options.directory));
  const std::string path = options.directory + "/state.db";
  TRY(FileLock lock, FileLock::acquire(path + ".lock"));
  OpenedFile opened(std::move(lock));
  remove_file(path + ".snapshot");  // half made when the last process ended
  TRY_VOID(finish_repair(options.directory, path, opened.report));
  auto result = open_database(options, path, opened);
  if (!result.ok() && !opened.report.damage.empty()) {
    opened.database.reset();
    TRY_VOID(repair(options.directory, path, options.vfs, opened.report).with_context("repair"));
    result = open_database(options, path, opened);
  }
  if (!result.ok()) return std::move(result).error();
  if (opened.report.created) TRY_VOID(sync_directory(options.directory));
  return opened;
}

}  // namespace orch::store
