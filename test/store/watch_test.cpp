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
  MemoryStore store{loop, {.history = {.events = 20, .bytes = 1 << 20}}};

  Revision put(const std::string& key, const std::string& text) {
    auto made = store.get(key) ? loop.run(store.update(key, small(text), 0, stamp, Durability::durable))
                               : loop.run(store.create(key, small(text), stamp, Durability::durable));
    REQUIRE(made.ok());
    return (*made)->revision;
  }
  void remove(const std::string& key) { REQUIRE(loop.run(store.remove(key, 0, stamp)).ok()); }
  std::unique_ptr<Watch> watch(const std::string& prefix, Revision from = 0) {
    auto watch = store.watch(prefix, from);
    REQUIRE(watch.ok());
    return std::move(*watch);
  }
};

TEST_CASE_METHOD(Fixture, "a watch gets the events of its prefix in order, with both states") {
  auto watch = this->watch("/pods/");
  put("/pods/a", "1");
  put("/services/a", "1");
  put("/pods/a", "2");
  remove("/pods/a");
  auto events = watch->take();
  REQUIRE(events.size() == 3);
  CHECK(events[0].type == Event::Type::created);
  CHECK(events[0].revision == 2);
  CHECK(events[0].previous == nullptr);
  CHECK(events[1].type == Event::Type::updated);
  CHECK(events[1].revision == 4);
  CHECK(events[1].previous == events[0].object);
  CHECK(events[2].type == Event::Type::deleted);
  CHECK(events[2].revision == 5);
  CHECK(events[2].object->value["metadata"]["resourceVersion"] == Value("5"));
  CHECK(events[2].object->value["text"] == Value("2"));
  CHECK(events[2].previous == events[1].object);
  CHECK(watch->take().empty());
}

TEST_CASE_METHOD(Fixture, "a watch from a revision resumes where another ended") {
  put("/pods/a", "1");
  Revision seen = put("/pods/b", "1");
  put("/pods/c", "1");
  auto events = watch("/pods/", seen)->take();
  REQUIRE(events.size() == 1);
  CHECK(events[0].object->key == "/pods/c");
  CHECK(watch("/pods/", store.revision())->take().empty());
  CHECK(store.watch("/pods/", store.revision() + 1).error().is(Code::bad_request));
}

TEST_CASE_METHOD(Fixture, "what is too old expires, at the start and when a watcher falls behind") {
  Revision first = put("/pods/a", "0");
  auto slow = watch("/pods/");
  auto quiet = watch("/nodes/");
  for (int n = 0; n < 30; ++n) put("/pods/a", std::to_string(n));
  CHECK(store.compacted() == first + 10);
  CHECK(store.watch("/pods/", first).error().is(Code::expired));
  CHECK(watch("/pods/", store.compacted())->take().size() == 20);
  CHECK(loop.run(slow->next()).error().is(Code::expired));
  CHECK(slow->take().empty());
  // Nothing of its prefix was dropped: it goes on.
  CHECK(quiet->progress() == store.revision());
  put("/nodes/a", "x");
  CHECK(loop.run(quiet->next())->size() == 1);
}

TEST_CASE_METHOD(Fixture, "next() waits, and only its own prefix wakes it") {
  auto watch = this->watch("/pods/");
  size_t got = 0;
  int wakes = 0;
  Scope scope(loop);
  auto follow = [](Watch* w, size_t* n, int* turns) -> Task<void> {
    for (;;) {
      std::vector<Event> events = co_await w->next();
      *n += events.size();
      ++*turns;
    }
  };
  scope.spawn(follow(watch.get(), &got, &wakes));
  put("/services/a", "1");
  loop.run_until_idle();
  CHECK(wakes == 0);
  put("/pods/a", "1");
  loop.run_until_idle();
  put("/pods/b", "1");
  loop.run_until_idle();
  CHECK(got == 2);
  CHECK(wakes == 2);
  CHECK(watch->progress() == store.revision());
  put("/services/b", "1");
  CHECK(watch->progress() == store.revision());
  SECTION("until the store closes") {
    REQUIRE(loop.run(store.close()).ok());
    loop.run_until_idle();
    CHECK(scope.size() == 0);
  }
  SECTION("or the watch is lost") {
    store.expire_watches();
    loop.run_until_idle();
    CHECK(scope.size() == 0);
    CHECK(this->watch("/pods/", store.revision())->take().empty());
  }
  scope.cancel();
  loop.run_until_idle();
}

TEST_CASE_METHOD(Fixture, "500 watchers share events and their JSON") {
  std::vector<std::unique_ptr<Watch>> watchers;
  for (int n = 0; n < 500; ++n) watchers.push_back(watch("/pods/"));
  put("/pods/a", "1");
  StoredPtr object = store.get("/pods/a");
  auto json = object->json();
  for (auto& watcher : watchers) {
    auto events = watcher->take();
    REQUIRE(events.size() == 1);
    REQUIRE(events[0].object == object);
    REQUIRE(events[0].object->json() == json);
  }
  watchers.clear();
  put("/pods/a", "2");
}

TEST_CASE_METHOD(Fixture, "compaction on demand ends the watchers that needed what is gone") {
  auto behind = watch("/pods/");
  put("/pods/a", "1");
  auto level = watch("/pods/");
  store.compact(store.revision());
  CHECK(store.compacted() == store.revision());
  CHECK(loop.run(behind->next()).error().is(Code::expired));
  put("/pods/a", "2");
  CHECK(loop.run(level->next())->size() == 1);
}

}  // namespace
}  // namespace orch::store
