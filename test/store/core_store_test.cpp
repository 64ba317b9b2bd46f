#include "store/core_store.h"

#include <catch2/catch_test_macros.hpp>

#include "loop/scope.h"
#include "loop/virtual_loop.h"
#include "store/memory_store.h"
#include "support.h"

namespace orch::store {
namespace {

using loop::Scope;
using loop::Task;
using loop::VirtualLoop;
using test::small;
using test::stamp;

struct Fixture {
  VirtualLoop loop;
  std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
  MemoryFaults faults;
  std::unique_ptr<MemoryStore> store;

  void open(CoreOptions options = {}) {
    store.reset();
    store = std::make_unique<MemoryStore>(loop, std::move(options), disk, faults);
  }
  Result<StoredPtr> create(const std::string& key, const std::string& text,
                           Durability how = Durability::durable) {
    return loop.run(store->create(key, small(text), stamp, how));
  }
  Result<StoredPtr> update(const std::string& key, const std::string& text, Revision expected,
                           Durability how = Durability::durable) {
    return loop.run(store->update(key, small(text), expected, stamp, how));
  }
  Result<StoredPtr> remove(const std::string& key, Revision expected = 0) {
    return loop.run(store->remove(key, expected, stamp));
  }
};

TEST_CASE_METHOD(Fixture, "a write gets the next revision, is stamped with it and is then there") {
  open();
  CHECK(store->revision() == 1);
  auto made = create("/pods/a", "one");
  REQUIRE(made.ok());
  CHECK((*made)->revision == 2);
  CHECK((*made)->created == 2);
  CHECK((*made)->value["metadata"]["resourceVersion"] == Value("2"));
  CHECK(store->get("/pods/a") == *made);
  auto changed = update("/pods/a", "two", 2);
  REQUIRE(changed.ok());
  CHECK((*changed)->created == 2);
  CHECK((*changed)->revision == 3);
  auto removed = remove("/pods/a", 3);
  REQUIRE(removed.ok());
  CHECK((*removed)->revision == 4);
  CHECK((*removed)->value["text"] == Value("two"));
  CHECK((*removed)->value["metadata"]["resourceVersion"] == Value("4"));
  CHECK(store->get("/pods/a") == nullptr);
  CHECK(store->revision() == 4);
}

TEST_CASE_METHOD(Fixture, "stale, missing and second writers get their errors and change nothing") {
  open();
  REQUIRE(create("/pods/a", "one").ok());
  CHECK(create("/pods/a", "two").error().is(Code::already_exists));
  CHECK(update("/pods/b", "two", 2).error().is(Code::not_found));
  CHECK(update("/pods/a", "two", 1).error().is(Code::conflict));
  CHECK(remove("/pods/a", 1).error().is(Code::conflict));
  CHECK(remove("/pods/b").error().is(Code::not_found));
  CHECK(store->revision() == 2);
  CHECK(store->get("/pods/a")->value["text"] == Value("one"));
  CHECK(update("/pods/a", "two", 0).ok());
}

TEST_CASE_METHOD(Fixture, "a write is invisible until it is durable, and so is what came after it") {
  faults.delay = [] { return 10ms; };
  open();
  Scope scope(loop);
  auto create_it = [](MemoryStore* s, std::string key, Durability how) -> Task<void> {
    StoredPtr made = co_await s->create(key, small("x"), stamp, how);
  };
  scope.spawn(create_it(store.get(), "/pods/a", Durability::durable));
  scope.spawn(create_it(store.get(), "/leases/a", Durability::soft));
  loop.run_for(5ms);
  CHECK(store->get("/pods/a") == nullptr);
  CHECK(store->get("/leases/a") == nullptr);
  CHECK(store->revision() == 1);
  CHECK(store->pending() == 2);
  loop.run_for(5ms);
  CHECK(store->get("/pods/a")->revision == 2);
  CHECK(store->get("/leases/a")->revision == 3);
  CHECK(scope.size() == 0);
}

TEST_CASE_METHOD(Fixture, "writers of one key are judged against the outcome of the one before") {
  faults.delay = [] { return 10ms; };
  open();
  REQUIRE(create("/pods/a", "0").ok());
  std::vector<Code> failures;
  Scope scope(loop, [&](const Error& error) { failures.push_back(error.code()); });
  auto update_it = [](MemoryStore* s, std::string text) -> Task<void> {
    StoredPtr done = co_await s->update("/pods/a", small(text), 2, stamp, Durability::durable);
  };
  scope.spawn(update_it(store.get(), "1"));
  scope.spawn(update_it(store.get(), "2"));
  loop.run_for(1s);
  CHECK(failures == std::vector{Code::conflict});
  CHECK(store->get("/pods/a")->value["text"] == Value("1"));
}

TEST_CASE_METHOD(Fixture, "when a write fails the next writer of the key gets its chance") {
  int batches = 0;
  faults.fail = [&](const Batch&) -> std::optional<Error> {
    if (++batches == 2) return Error::make(Code::io, "no space");
    return std::nullopt;
  };
  open();
  REQUIRE(create("/pods/a", "0").ok());
  std::vector<Code> failures;
  Scope scope(loop, [&](const Error& error) { failures.push_back(error.code()); });
  auto update_it = [](MemoryStore* s, std::string text) -> Task<void> {
    StoredPtr done = co_await s->update("/pods/a", small(text), 2, stamp, Durability::durable);
  };
  scope.spawn(update_it(store.get(), "1"));
  scope.spawn(update_it(store.get(), "2"));
  loop.run_for(1s);
  CHECK(failures == std::vector{Code::io});
  CHECK(store->get("/pods/a")->value["text"] == Value("2"));
  CHECK(disk->objects.at("/pods/a")->value["text"] == Value("2"));
}

TEST_CASE_METHOD(Fixture, "what is written in one turn shares one transaction") {
  open();
  Scope scope(loop);
  auto create_it = [](MemoryStore* s, int n) -> Task<void> {
    StoredPtr made = co_await s->create("/pods/" + std::to_string(n), small("x"), stamp, Durability::durable);
  };
  for (int n = 0; n < 50; ++n) scope.spawn(create_it(store.get(), n));
  loop.run_until_idle();
  CHECK(store->count("/pods/") == 50);
  CHECK(disk->commits == 1);
}

TEST_CASE_METHOD(Fixture, "after a failed batch what still fits gets through, one by one") {
  // A disk with room for removals only.
  bool full = false;
  faults.fail = [&](const Batch& batch) -> std::optional<Error> {
    for (const Record& record : batch.records) {
      if (full && !record.removed) return Error::make(Code::io, "no space");
    }
    return std::nullopt;
  };
  open();
  REQUIRE(create("/pods/a", "0").ok());
  full = true;
  CHECK(create("/pods/b", "0").error().is(Code::io));
  size_t failures = 0;
  Scope scope(loop, [&](const Error&) { ++failures; });
  auto create_it = [](MemoryStore* s, int n) -> Task<void> {
    StoredPtr made = co_await s->create("/more/" + std::to_string(n), small("x"), stamp, Durability::durable);
  };
  auto remove_it = [](MemoryStore* s) -> Task<void> {
    StoredPtr gone = co_await s->remove("/pods/a", 0, stamp);
  };
  for (int n = 0; n < 5; ++n) scope.spawn(create_it(store.get(), n));
  scope.spawn(remove_it(store.get()));
  for (int n = 5; n < 9; ++n) scope.spawn(create_it(store.get(), n));
  loop.run_for(1s);
  CHECK(failures == 9);
  CHECK(store->get("/pods/a") == nullptr);
  CHECK(disk->objects.empty());
  full = false;
  CHECK(create("/pods/b", "0").ok());
}

TEST_CASE_METHOD(Fixture, "soft writes cost no transaction and are gone or old after a restart") {
  open({.revision_block = 1000});
  REQUIRE(create("/leases/a", "durable").ok());
  uint64_t commits = disk->commits;
  REQUIRE(create("/events/x", "soft", Durability::soft).ok());
  for (int n = 0; n < 400; ++n) REQUIRE(update("/leases/a", std::to_string(n), 0, Durability::soft).ok());
  CHECK(disk->commits == commits);
  Revision last = store->revision();
  SECTION("a crash") {
    open({.revision_block = 1000});
    CHECK(store->get("/leases/a")->value["text"] == Value("durable"));
    CHECK(store->get("/events/x") == nullptr);
    CHECK(store->revision() >= last);
    auto next = create("/pods/a", "x");
    CHECK((*next)->revision > last);
  }
  SECTION("a durable write persists the newest") {
    REQUIRE(update("/leases/a", "newest", 0).ok());
    open();
    CHECK(store->get("/leases/a")->value["text"] == Value("newest"));
  }
  SECTION("close() keeps what is worth keeping, and the revision") {
    store.reset();
    open({.keep_soft = [](const Stored& object) { return object.key.starts_with("/leases/"); }});
    REQUIRE(update("/leases/a", "kept", 0, Durability::soft).ok());
    REQUIRE(create("/events/y", "dropped", Durability::soft).ok());
    Revision at = store->revision();
    REQUIRE(loop.run(store->close()).ok());
    CHECK(create("/pods/a", "x").error().is(Code::closed));
    open();
    CHECK(store->get("/leases/a")->value["text"] == Value("kept"));
    CHECK(store->get("/events/y") == nullptr);
    CHECK(store->revision() == at);
  }
  SECTION("removing what was never on disk costs nothing, the rest does") {
    REQUIRE(remove("/events/x").ok());
    CHECK(disk->commits == commits);
    REQUIRE(remove("/leases/a").ok());
    CHECK(disk->commits == commits + 1);
    open();
    CHECK(store->count("") == 0);
  }
}

TEST_CASE_METHOD(Fixture, "soft writes alone never pass the revision that is promised on disk") {
  std::optional<Error> broken;
  faults.fail = [&](const Batch&) { return broken; };
  open({.revision_block = 100});
  REQUIRE(create("/leases/a", "x", Durability::soft).ok());
  for (int n = 0; n < 1000; ++n) {
    REQUIRE(update("/leases/a", std::to_string(n), 0, Durability::soft).ok());
    REQUIRE(store->revision() <= disk->ceiling);
  }
  CHECK(disk->commits >= 9);
  CHECK(disk->commits <= 21);
  SECTION("nor when the promise cannot be written") {
    broken = Error::make(Code::io, "no space");
    int failures = 0;
    for (int n = 0; n < 300; ++n) {
      if (!update("/leases/a", "late", 0, Durability::soft).ok()) ++failures;
      REQUIRE(store->revision() <= disk->ceiling);
    }
    CHECK(failures >= 150);
    broken.reset();
    CHECK(update("/leases/a", "again", 0, Durability::soft).ok());
  }
}

TEST_CASE_METHOD(Fixture, "an object that is too large is refused before anything is written") {
  open({.max_object_bytes = 1000});
  CHECK(create("/pods/a", std::string(5000, 'x')).error().is(Code::too_large));
  CHECK(store->revision() == 1);
  CHECK(create("/pods/a", "x").ok());
}

TEST_CASE_METHOD(Fixture, "ranges: prefix, limit, continuation, remaining") {
  open();
  for (std::string name : {"/pods/c", "/pods/a", "/pods/b", "/pod", "/podz/a", "/services/a"}) {
    REQUIRE(create(name, "x").ok());
  }
  auto first = store->range("/pods/", "", 2, 0);
  REQUIRE(first.ok());
  REQUIRE(first->items.size() == 2);
  CHECK(first->items[0]->key == "/pods/a");
  CHECK(first->items[1]->key == "/pods/b");
  CHECK(first->remaining == 1);
  CHECK(first->revision == 7);
  REQUIRE(remove("/pods/c").ok());
  REQUIRE(create("/pods/bb", "x").ok());
  auto rest = store->range("/pods/", "/pods/b", 2, first->revision);
  REQUIRE(rest.ok());
  REQUIRE(rest->items.size() == 1);
  CHECK(rest->items[0]->key == "/pods/c");
  CHECK(rest->remaining == 0);
  CHECK(rest->revision == 7);
  CHECK(store->count("/pods/") == 3);
  CHECK(store->count("") == 6);
  CHECK(store->range("/pods/", "", 0, 100).error().is(Code::bad_request));
  store->compact(8);
  CHECK(store->range("/pods/", "", 0, 7).error().is(Code::expired));
  CHECK(store->range("/pods/", "", 0, 8)->items.size() == 2);
}

TEST_CASE_METHOD(Fixture, "close() waits for what is being written") {
  faults.delay = [] { return 10ms; };
  open();
  Scope scope(loop);
  auto create_it = [](MemoryStore* s) -> Task<void> {
    StoredPtr made = co_await s->create("/pods/a", small("x"), stamp, Durability::durable);
  };
  scope.spawn(create_it(store.get()));
  REQUIRE(loop.run(store->close()).ok());
  CHECK(store->get("/pods/a") != nullptr);
  loop.run_until_idle();
  CHECK(scope.size() == 0);
}

TEST_CASE_METHOD(Fixture, "giving up waiting for a write does not take it back") {
  faults.delay = [] { return 10ms; };
  open();
  {
    Scope scope(loop);
    auto create_it = [](MemoryStore* s) -> Task<void> {
      StoredPtr made = co_await s->create("/pods/a", small("x"), stamp, Durability::durable);
    };
    scope.spawn(create_it(store.get()));
    loop.run_for(1ms);
  }
  loop.run_for(20ms);
  CHECK(store->get("/pods/a") != nullptr);
}

}  // namespace
}  // namespace orch::store
