// Damaged files: the store always starts, says what happened, and has what could be read.

#include "store/recovery.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

#include "base/random.h"
#include "loop/scope.h"
#include "store/sqlite_store.h"
#include "support.h"
#include "thread_loop.h"

namespace orch::store {
namespace {

using loop::Scope;
using loop::Task;
using test::stamp;

void overwrite(const std::string& path, int64_t at, const std::string& bytes) {
  int fd = ::open(path.c_str(), O_WRONLY);
  REQUIRE(fd >= 0);
  REQUIRE(::pwrite(fd, bytes.data(), bytes.size(), at) == static_cast<ssize_t>(bytes.size()));
  ::close(fd);
}

struct Fixture {
  test::TemporaryDirectory directory;
  test::ThreadLoop loop;
  std::unique_ptr<SqliteStore> store;
  std::string path = directory.file("state.db");
  static constexpr int kPods = 300;

  void open(Housekeeping housekeeping = {}) {
    store.reset();
    auto opened = SqliteStore::open(
        loop, {.directory = directory.path(), .housekeeping = housekeeping, .sync = false}, Logger::discard());
    if (!opened.ok()) FAIL(opened.error().message());
    store = std::move(*opened);
  }
  void fill(int from = 0, int to = kPods) {
    auto one = [](SqliteStore* s, std::string name) -> Task<void> {
      StoredPtr made = co_await s->create("/pods/" + name, test::pod(name), stamp, Durability::durable);
    };
    Scope scope(loop);
    for (int n = from; n < to; ++n) scope.spawn(one(store.get(), std::to_string(n)));
    REQUIRE(loop.run(scope.join()).ok());
  }
  // Ends the process's use of the file with everything in the file itself, but not marked as closed.
  void crash() {
    REQUIRE(loop.run(store->close()).ok());
    store.reset();
    auto database = Database::open(path, Database::Mode::read_write, "");
    REQUIRE((*database)->run("PRAGMA locking_mode=EXCLUSIVE; UPDATE meta SET value='0' WHERE name='clean'").ok());
  }
  // Objects that are there must be whole.
  size_t check_objects() {
    auto all = store->range("", "", 0, 0);
    for (const StoredPtr& object : all->items) {
      std::string name = object->key.substr(6);
      REQUIRE(object->value == stamp(test::pod(name), object->revision));
    }
    return all->items.size();
  }
  void check_it_works() {
    REQUIRE(loop.run(store->create("/pods/new", test::pod("new"), stamp, Durability::durable)).ok());
    REQUIRE(loop.run(store->close()).ok());
    open();
    CHECK(store->report().damage.empty());
    CHECK(!store->report().unclean);
    CHECK(store->get("/pods/new"));
  }
};

TEST_CASE_METHOD(Fixture, "a torn page costs the objects on it and no others") {
  open();
  fill();
  Revision before = store->revision();
  std::string id = store->cluster_id();
  crash();
  int64_t pages = file_size(path) / 4096;
  overwrite(path, (pages / 2) * 4096, std::string(4096, '\xa5'));
  open();
  CHECK(!store->report().damage.empty());
  CHECK(store->report().kept_aside == path + ".damaged-1");
  CHECK(file_exists(path + ".damaged-1"));
  CHECK(store->cluster_id() == id);
  CHECK(store->revision() > before);
  CHECK(check_objects() >= kPods - 4);
  CHECK(store->report().salvaged == store->count(""));
  check_it_works();
}

TEST_CASE_METHOD(Fixture, "with a snapshot the holes are filled from it, and what came later is kept") {
  open({.snapshot_churn = 4096, .pause = std::chrono::milliseconds(1)});
  fill();
  while (!file_exists(path + ".backup.1")) {
    fill(1000, 1001);
    REQUIRE(loop.run(store->remove("/pods/1000", 0, stamp)).ok());
    for (int n = 0; n < 20; ++n) {
      REQUIRE(loop.run(store->update("/pods/7", test::pod("7"), 0, stamp, Durability::durable)).ok());
    }
    loop.turn(std::chrono::milliseconds(5));
  }
  open();
  fill(kPods, kPods + 10);
  crash();
  int64_t pages = file_size(path) / 4096;
  for (int64_t page : {pages / 4, pages / 2, pages / 2 + 1}) {
    overwrite(path, page * 4096, std::string(4096, '\xa5'));
  }
  open();
  CHECK(!store->report().damage.empty());
  CHECK(store->report().snapshot == path + ".backup.1");
  CHECK(check_objects() >= kPods + 10 - 4);
  for (int n = 0; n < kPods; ++n) REQUIRE(store->get("/pods/" + std::to_string(n)));
  check_it_works();
}

TEST_CASE_METHOD(Fixture, "no header, half a file or an empty one: the snapshot is what is left, else nothing") {
  bool with_snapshot = GENERATE(true, false);
  int kind = GENERATE(0, 1, 2);
  CAPTURE(with_snapshot, kind);
  open();
  std::string id = store->cluster_id();
  fill();
  crash();
  if (with_snapshot) std::filesystem::copy_file(path, path + ".backup.1");
  if (kind == 0) overwrite(path, 0, std::string(4096, '\0'));
  if (kind == 1) std::filesystem::resize_file(path, static_cast<uint64_t>(file_size(path)) / 2 + 100);
  if (kind == 2) std::filesystem::resize_file(path, 0);
  open();
  size_t left = check_objects();
  if (with_snapshot) {
    CHECK(left == kPods);
    CHECK(store->cluster_id() == id);
    CHECK(!store->report().damage.empty());
  }
  check_it_works();
}

TEST_CASE_METHOD(Fixture, "random damage anywhere never keeps it from starting") {
  uint64_t seed = GENERATE(1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u, 10u, 11u, 12u);
  CAPTURE(seed);
  SeededRandom random(seed);
  open();
  fill(0, 150);
  for (int n = 0; n < 150; n += 3) REQUIRE(loop.run(store->remove("/pods/" + std::to_string(n), 0, stamp)).ok());
  crash();
  auto size = static_cast<uint64_t>(file_size(path));
  for (uint64_t n = 1 + random.below(6); n > 0; --n) {
    std::string garbage;
    for (uint64_t length = 1 + random.below(6000); length > 0; --length) {
      garbage += static_cast<char>(random.below(3) == 0 ? 0 : random.next());
    }
    overwrite(path, static_cast<int64_t>(random.below(size - 6000)), garbage);
  }
  open();
  auto all = store->range("", "", 0, 0);
  CHECK(all->items.size() <= 100);
  REQUIRE(loop.run(store->create("/pods/new", test::pod("new"), stamp, Durability::durable)).ok());
  REQUIRE(loop.run(store->close()).ok());
  open();
  CHECK(store->get("/pods/new"));
}

TEST_CASE_METHOD(Fixture, "a repair that was interrupted between its renames is ended") {
  open();
  fill(0, 20);
  crash();
  std::filesystem::copy_file(path, path + ".repaired");
  SECTION("before the damaged file was moved") { overwrite(path, 0, std::string(4096, '\0')); }
  SECTION("after it was moved") { std::filesystem::rename(path, path + ".damaged-1"); }
  open();
  CHECK(check_objects() == 20);
  CHECK(!file_exists(path + ".repaired"));
  CHECK(file_exists(path + ".damaged-1"));
}

}  // namespace
}  // namespace orch::store
