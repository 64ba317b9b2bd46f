#include "store/sqlite_store.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault_vfs.h"
#include "loop/scope.h"
#include "support.h"
#include "thread_loop.h"

namespace orch::store {
namespace {

using loop::Scope;
using loop::Task;
using test::FaultVfs;
using test::small;
using test::stamp;

struct Fixture {
  test::TemporaryDirectory directory;
  test::ThreadLoop loop;
  std::unique_ptr<SqliteStore> store;
  std::string db = directory.file("db");
  std::string path = db + "/state.db";

  Result<void> open(SqliteOptions options = {}) {
    store.reset();
    options.directory = db;
    auto opened = SqliteStore::open(loop, std::move(options), Logger::discard());
    if (!opened.ok()) return opened.error();
    store = std::move(*opened);
    return {};
  }
  Result<StoredPtr> create(const std::string& key, Value value, Durability how = Durability::durable) {
    return loop.run(store->create(key, std::move(value), stamp, how));
  }
  Result<StoredPtr> update(const std::string& key, Value value, Durability how = Durability::durable) {
    return loop.run(store->update(key, std::move(value), 0, stamp, how));
  }
  void fill(int from, int to, const std::string& prefix = "/pods/") {
    auto one = [](SqliteStore* s, std::string key) -> Task<void> {
      StoredPtr made = co_await s->create(key, test::pod(key.substr(6)), stamp, Durability::durable);
    };
    Scope scope(loop);
    for (int n = from; n < to; ++n) scope.spawn(one(store.get(), prefix + std::to_string(n)));
    REQUIRE(loop.run(scope.join()).ok());
  }
  void remove_all(int from, int to) {
    auto one = [](SqliteStore* s, std::string key) -> Task<void> {
      StoredPtr gone = co_await s->remove(key, 0, stamp);
    };
    Scope scope(loop);
    for (int n = from; n < to; ++n) scope.spawn(one(store.get(), "/pods/" + std::to_string(n)));
    REQUIRE(loop.run(scope.join()).ok());
  }
  // Lets the writer's thread go about its housekeeping until `condition` holds.
  template <class F>
  bool eventually(F condition) {
    auto until = loop.now() + 60s;
    while (!condition() && loop.now() < until) loop.turn(std::chrono::milliseconds(10));
    return condition();
  }
};

TEST_CASE_METHOD(Fixture, "what was written is there after a restart, byte for byte") {
  REQUIRE(open().ok());
  CHECK(store->report().created);
  std::string id = store->cluster_id();
  CHECK(id.size() == 32);
  auto made = create("/pods/a", test::pod("a"));
  REQUIRE(made.ok());
  std::string json = *(*made)->json();
  bool closed = GENERATE(true, false);
  if (closed) REQUIRE(loop.run(store->close()).ok());
  REQUIRE(open().ok());
  CHECK(!store->report().created);
  CHECK(store->report().unclean == !closed);
  CHECK(store->report().damage.empty());
  CHECK(store->cluster_id() == id);
  REQUIRE(store->get("/pods/a"));
  CHECK(*store->get("/pods/a")->json() == json);
  CHECK(store->get("/pods/a")->revision == (*made)->revision);
}

TEST_CASE_METHOD(Fixture, "nobody else may read the directory or the file") {
  REQUIRE(open().ok());
  struct stat info {};
  REQUIRE(::stat(db.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
  for (const char* name : {"", "-wal", ".lock"}) {
    CAPTURE(name);
    REQUIRE(::stat((path + name).c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
  }
}

TEST_CASE_METHOD(Fixture, "a directory in use is refused, with the process that uses it") {
  REQUIRE(open().ok());
  auto second = SqliteStore::open(loop, {.directory = db}, Logger::discard());
  REQUIRE(!second.ok());
  CHECK(second.error().message().find("in use by process " + std::to_string(::getpid())) != std::string::npos);
  store.reset();
  CHECK(open().ok());
}

TEST_CASE_METHOD(Fixture, "a newer format, another program's database and a file in the way are refused untouched") {
  REQUIRE(open().ok());
  REQUIRE(loop.run(store->close()).ok());
  store.reset();
  std::string expected;
  int64_t number = 0;
  {
    auto database = Database::open(path, Database::Mode::read_write, "");
    REQUIRE(database.ok());
    if (GENERATE(true, false)) {
      REQUIRE((*database)->run("PRAGMA user_version=7").ok());
      expected = "written by a newer orch (format 7, this one knows 1)";
      number = 7;
    } else {
      REQUIRE((*database)->run("PRAGMA application_id=5").ok());
      expected = "another program's database";
      number = kFormat;
    }
  }
  auto refused = open();
  REQUIRE(!refused.ok());
  CHECK(refused.error().is(Code::io));
  CHECK(refused.error().message().find(expected) != std::string::npos);
  auto database = Database::open(path, Database::Mode::read_write, "");
  CHECK(*(*database)->integer("PRAGMA user_version") == number);

  std::ofstream(directory.file("file")) << "x";
  auto in_the_way = SqliteStore::open(loop, {.directory = directory.file("file") + "/db"}, Logger::discard());
  CHECK(in_the_way.error().message().find("is a file") != std::string::npos);
}

// A small file system of its own, seen by this process alone.
bool mount_tmpfs(const std::string& at, const std::string& options, unsigned long flags = 0) {
  std::filesystem::create_directories(at);
  return ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("tmpfs", at.c_str(), "tmpfs", flags, options.c_str()) == 0;
}

TEST_CASE_METHOD(Fixture, "a read-only directory is refused with advice") {
  if (!mount_tmpfs(db, "size=1m", MS_RDONLY)) SKIP("mounting needs root");
  auto refused = open();
  REQUIRE(!refused.ok());
  CHECK(refused.error().is(Code::io));
  CHECK(refused.error().message().find("cannot be written; make it writable") != std::string::npos);
  ::umount2(db.c_str(), MNT_DETACH);
}

TEST_CASE_METHOD(Fixture, "a really full disk: writes fail, nothing changes, removing helps, then all is well") {
  if (!mount_tmpfs(db, "size=2m")) SKIP("mounting needs root");
  REQUIRE(open({.housekeeping = {.checkpoint_pages = 50}}).ok());
  int stored = 0;
  Result<StoredPtr> made = create("/pods/0", test::pod("0"));
  while (made.ok()) {
    ++stored;
    REQUIRE(stored < 2000);
    made = create("/pods/" + std::to_string(stored), test::pod(std::to_string(stored)));
  }
  CHECK(stored > 100);
  CHECK(made.error().is(Code::io));
  CHECK(made.error().message().find("the disk is full; nothing was changed") != std::string::npos);
  CHECK(store->count("/pods/") == static_cast<size_t>(stored));
  for (int n = 0; n < 20; ++n) CHECK(!create("/pods/more", test::pod("more")).ok());
  for (int n = 0; n < 20; ++n) (void)loop.run(store->remove("/pods/" + std::to_string(n), 0, stamp));
  size_t left = store->count("/pods/");
  bool crash = GENERATE(true, false);
  if (!crash) (void)loop.run(store->close());
  auto reopened = open();
  if (reopened.ok()) {
    CHECK(store->report().damage.empty());
    CHECK(store->count("/pods/") == left);
  } else {
    CHECK(reopened.error().message().find("full") != std::string::npos);
  }
  store.reset();
  ::mount("none", db.c_str(), nullptr, MS_REMOUNT, "size=20m");
  REQUIRE(open().ok());
  CHECK(store->count("/pods/") == left);
  CHECK(create("/pods/more", test::pod("more")).ok());
  store.reset();
  ::umount2(db.c_str(), MNT_DETACH);
}

TEST_CASE_METHOD(Fixture, "a disk that is full at the very start is refused with advice") {
  FaultVfs& faults = FaultVfs::get();
  faults.reset();
  faults.full = true;
  auto refused = open({.vfs = faults.name});
  REQUIRE(!refused.ok());
  CHECK(refused.error().message().find("the disk is full") != std::string::npos);
  faults.reset();
  CHECK(open({.vfs = faults.name}).ok());
  store.reset();
}

TEST_CASE_METHOD(Fixture, "failed writes leave memory, disk and revisions as they were; later ones go through") {
  FaultVfs& faults = FaultVfs::get();
  faults.reset();
  REQUIRE(open({.vfs = faults.name}).ok());
  REQUIRE(create("/pods/a", small("1")).ok());
  Revision before = store->revision();
  auto watch = store->watch("/pods/", 0).value();
  std::atomic<bool>& fault = *GENERATE_REF(&faults.full, &faults.broken, &faults.sync_broken);
  fault = true;
  for (int n = 0; n < 10; ++n) {
    auto failed = update("/pods/a", small(std::string(5000, 'x')));
    REQUIRE(!failed.ok());
    REQUIRE(failed.error().is(Code::io));
    REQUIRE(!create("/pods/b", small("2")).ok());
  }
  CHECK(store->revision() == before);
  CHECK(watch->take().empty());
  CHECK(create("/events/a", small("soft"), Durability::soft).ok());
  fault = false;
  auto made = update("/pods/a", small("3"));
  REQUIRE(made.ok());
  CHECK((*made)->revision > before);
  CHECK(watch->take().size() == 1);
  watch.reset();
  REQUIRE(open({.vfs = faults.name}).ok());
  CHECK(store->report().damage.empty());
  CHECK(store->get("/pods/a")->value["text"] == Value("3"));
  CHECK(store->count("/pods/") == 1);
  store.reset();
}

TEST_CASE_METHOD(Fixture, "soft writes and idleness write nothing to the disk") {
  FaultVfs& faults = FaultVfs::get();
  faults.reset();
  REQUIRE(open({.vfs = faults.name}).ok());
  REQUIRE(create("/leases/a", small("1")).ok());
  for (int n = 0; n < 5; ++n) loop.turn(std::chrono::milliseconds(60));
  uint64_t before = faults.bytes_written;
  for (int n = 0; n < 10'000; ++n) REQUIRE(update("/leases/a", small(std::to_string(n)), Durability::soft).ok());
  for (int n = 0; n < 5; ++n) loop.turn(std::chrono::milliseconds(60));
  CHECK(faults.bytes_written == before);
  store.reset();
}

TEST_CASE_METHOD(Fixture, "fifty writers at once share their syncs") {
  FaultVfs& faults = FaultVfs::get();
  faults.reset();
  REQUIRE(open({.vfs = faults.name}).ok());
  uint64_t before = faults.syncs;
  fill(0, 50);
  CHECK(faults.syncs - before <= 2);
  store.reset();
}

TEST_CASE_METHOD(Fixture, "many updates leave a small file and a short log") {
  REQUIRE(open({.sync = false}).ok());
  auto writer = [](SqliteStore* s, std::string key, int times) -> Task<void> {
    StoredPtr made = co_await s->create(key, small(key), stamp, Durability::durable);
    for (int n = 0; n < times; ++n) {
      std::string text(100 + static_cast<size_t>(n % 200), 'x');
      StoredPtr done = co_await s->update(key, small(text), 0, stamp, Durability::durable);
      if (n % 50 == 49) {
        StoredPtr gone = co_await s->remove(key, 0, stamp);
        StoredPtr back = co_await s->create(key, small(key), stamp, Durability::durable);
      }
    }
  };
  // A million; fewer where the sanitizers slow everything down (ORCH_TEST_MILLION forces it).
#ifdef __SANITIZE_ADDRESS__
  const int kTimes = std::getenv("ORCH_TEST_MILLION") ? 2000 : 200;
#else
  const int kTimes = 2000;
#endif
  constexpr int kWriters = 500;
  Scope scope(loop);
  for (int n = 0; n < kWriters; ++n) scope.spawn(writer(store.get(), "/pods/" + std::to_string(n), kTimes));
  int64_t most = 0;
  auto measure = [](Scope* all, loop::Loop* l, std::string file, int64_t* largest) -> Task<void> {
    while (all->size() > 0) {
      *largest = std::max(*largest, file_size(file) + file_size(file + "-wal"));
      co_await loop::sleep(*l, 50ms);
    }
  };
  Scope other(loop);
  other.spawn(measure(&scope, &loop, path, &most));
  REQUIRE(loop.run(scope.join()).ok());
  other.cancel();
  CHECK(store->revision() > kWriters * kTimes);
  CHECK(store->count("/pods/") == kWriters);
  CHECK(most < (40 << 20));
  REQUIRE(loop.run(store->close()).ok());
  CHECK(file_size(path) < (2 << 20));
  CHECK(file_size(path + "-wal") == 0);
  REQUIRE(open().ok());
  CHECK(store->count("/pods/") == kWriters);
}

TEST_CASE_METHOD(Fixture, "a bloated file opens at once and shrinks while nothing is written") {
  REQUIRE(open().ok());
  fill(0, 10);
  REQUIRE(loop.run(store->close()).ok());
  store.reset();
  {
    auto database = Database::open(path, Database::Mode::read_write, "");
    REQUIRE((*database)->run("CREATE TABLE junk(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n"
                             " WHERE i < 15000) INSERT INTO junk SELECT zeroblob(8000) FROM n; DROP TABLE junk").ok());
  }
  CHECK(file_size(path) > (100 << 20));
  auto start = loop.now();
  REQUIRE(open({.housekeeping = {.vacuum_pages = 1000, .pause = std::chrono::milliseconds(1)}}).ok());
  CHECK(loop.now() - start < 10s);  // 100 MB of free pages are not read
  CHECK(store->count("/pods/") == 10);
  CHECK(eventually([&] { return file_size(path) < (8 << 20); }));
  CHECK(create("/pods/x", test::pod("x")).ok());
}

TEST_CASE_METHOD(Fixture, "snapshots are made after enough change, two of them kept") {
  SqliteOptions options{.housekeeping = {.snapshot_churn = 10000, .pause = std::chrono::milliseconds(1)}, .sync = false};
  REQUIRE(open(options).ok());
  for (int round = 0; round < 4; ++round) {
    fill(round * 50, round * 50 + 50);
    for (int n = 0; n < 400; ++n) REQUIRE(update("/pods/1", test::pod(std::to_string(n))).ok());
    (void)eventually([&] { return !file_exists(path + ".snapshot"); });
  }
  CHECK(eventually([&] { return file_exists(path + ".backup.1") && file_exists(path + ".backup.2"); }));
  CHECK(!file_exists(path + ".backup.3"));
  auto snapshot = Database::open(path + ".backup.1", Database::Mode::read_write, "");
  REQUIRE(snapshot.ok());
  REQUIRE((*snapshot)->run("PRAGMA locking_mode=EXCLUSIVE").ok());
  CHECK(*(*snapshot)->text("PRAGMA integrity_check") == "ok");
  CHECK(*(*snapshot)->integer("SELECT count(*) FROM object") > 0);
}

}  // namespace
}  // namespace orch::store
