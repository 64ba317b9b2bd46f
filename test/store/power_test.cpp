// Power cuts: the disk keeps what was synced, and of the rest any sectors. What was acknowledged must
// be there, whichever write or sync was the last.

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <map>

#include "fault_vfs.h"
#include "loop/scope.h"
#include "store/sqlite_store.h"
#include "support.h"
#include "thread_loop.h"

namespace orch::store {
namespace {

using loop::Scope;
using loop::Task;
using test::FaultVfs;
using test::stamp;

constexpr int kKeys = 8, kWrites = 25;

// Write n of a key; every fifth removes it.
bool removes(int n) { return n % 5 == 0; }
std::string key_of(int key) { return "/keys/" + std::to_string(key); }
Value value_of(int key, int n) {
  std::string filler(static_cast<size_t>(50 + (key * 1009 + n * 3163) % 9000), static_cast<char>('a' + n % 26));
  return Value::object({{"metadata", Value::empty_object()}, {"n", Value(n)}, {"filler", Value(filler)}});
}

Task<void> write_some(SqliteStore* store, int key, std::map<int, int>* acknowledged) {
  for (int n = 1; n <= kWrites; ++n) {
    bool there = store->get(key_of(key)) != nullptr;
    if (removes(n)) {
      StoredPtr gone = co_await store->remove(key_of(key), 0, stamp);
    } else if (there) {
      StoredPtr done = co_await store->update(key_of(key), value_of(key, n), 0, stamp, Durability::durable);
    } else {
      StoredPtr made = co_await store->create(key_of(key), value_of(key, n), stamp, Durability::durable);
    }
    // Known before the cut: so it was durable before the cut.
    if (!FaultVfs::get().has_cut()) (*acknowledged)[key] = n;
  }
}

SqliteOptions options_for(const std::string& directory, const std::string& vfs) {
  return {.directory = directory,
          .housekeeping = {.checkpoint_pages = 12, .vacuum_pages = 2, .pause = std::chrono::milliseconds(1)},
          .vfs = vfs};
}

// Writes until the power is cut and beyond; what was acknowledged before.
std::map<int, int> run(const std::string& directory, uint64_t operations, uint64_t seed) {
  FaultVfs& faults = FaultVfs::get();
  test::ThreadLoop loop;
  // Made and closed first: the cut is to happen in a life of ordinary writes.
  auto first = SqliteStore::open(loop, options_for(directory, ""), Logger::discard());
  REQUIRE(first.ok());
  REQUIRE(loop.run((*first)->close()).ok());
  first.value().reset();
  faults.reset();
  faults.cut_power_after(operations, seed);
  auto store = SqliteStore::open(loop, options_for(directory, faults.name), Logger::discard());
  REQUIRE(store.ok());
  std::map<int, int> acknowledged;
  Scope scope(loop);
  for (int key = 0; key < kKeys; ++key) scope.spawn(write_some(store->get(), key, &acknowledged));
  REQUIRE(loop.run(scope.join()).ok());
  return acknowledged;
}

TEST_CASE("whichever operation the power cut comes after, what was acknowledged is there and whole") {
  size_t cuts = 0, writes = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    uint64_t operations = seed * 37 % 500;
    CAPTURE(operations);
    test::TemporaryDirectory directory;
    auto acknowledged = run(directory.file("db"), operations, seed);
    bool cut = FaultVfs::get().has_cut();
    auto image = FaultVfs::get().image();
    if (!cut) continue;
    ++cuts;
    std::filesystem::create_directories(directory.file("after"));
    for (const auto& [path, content] : image) {
      std::ofstream file(directory.file("after/") + std::filesystem::path(path).filename().string(), std::ios::binary);
      file << content;
    }
    test::ThreadLoop loop;
    auto store = SqliteStore::open(loop, options_for(directory.file("after"), ""), Logger::discard());
    REQUIRE(store.ok());
    REQUIRE((*store)->report().damage.empty());
    for (int key = 0; key < kKeys; ++key) {
      int last = acknowledged.contains(key) ? acknowledged[key] : 0;
      writes += static_cast<size_t>(last);
      StoredPtr object = (*store)->get(key_of(key));
      int found = object ? static_cast<int>(object->value["n"].as_int()) : 0;
      CAPTURE(key, last, found);
      // Of each key one write may have been durable and not yet told, and one under way.
      bool fine = object ? found >= last && found <= last + 2
                         : last == 0 || removes(last) || removes(last + 1) || removes(last + 2);
      REQUIRE(fine);
      if (object) REQUIRE(object->value["filler"] == value_of(key, found)["filler"]);
    }
  }
  CHECK(cuts >= 30);
  CHECK(writes > cuts * kKeys);
}

}  // namespace
}  // namespace orch::store
