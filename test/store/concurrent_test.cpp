// Many writers at once, failing and slow disks, crashes: what the watch reports is the truth, and
// everybody's answer must agree with it.

#include <catch2/catch_test_macros.hpp>
#include <map>

#include "base/random.h"
#include "loop/scope.h"
#include "loop/virtual_loop.h"
#include "store/memory_store.h"
#include "support.h"

namespace orch::store {
namespace {

using loop::Scope;
using loop::Task;
using test::small;
using test::stamp;

struct Answer {
  Event::Type wanted;
  std::string key;
  std::string text;
  Revision expected;
  Durability how;
  std::optional<Code> failed;
  Revision revision = 0;
};

struct World {
  explicit World(uint64_t seed) : random(seed) {}
  SeededRandom random;
  loop::VirtualLoop loop;
  std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
  std::unique_ptr<MemoryStore> store;
  std::vector<Answer> answers;
  std::map<std::string, int> removing;  // asked for and not answered
  uint64_t failing = 4;  // one batch in so many

  void open() {
    MemoryFaults faults;
    faults.delay = [this] { return Duration(random.below(5'000'000)); };
    faults.fail = [this](const Batch&) -> std::optional<Error> {
      if (random.below(failing) == 0) return Error::make(Code::io, "no space");
      return std::nullopt;
    };
    faults.early = [this](const Batch&) { return random.below(2) == 0; };
    CoreOptions options{.revision_block = 60, .batch_records = 8};
    store = std::make_unique<MemoryStore>(loop, options, disk, faults);
  }
};

Task<void> one_write(World* world, Answer* answer) {
  Result<StoredPtr> result = Error::make(Code::internal, "");
  if (answer->wanted == Event::Type::created) {
    result = co_await world->store->create(answer->key, small(answer->text), stamp, answer->how).result();
  } else if (answer->wanted == Event::Type::updated) {
    result = co_await world->store
                 ->update(answer->key, small(answer->text), answer->expected, stamp, answer->how)
                 .result();
  } else {
    ++world->removing[answer->key];
    result = co_await world->store->remove(answer->key, answer->expected, stamp).result();
    --world->removing[answer->key];
  }
  if (result.ok()) {
    answer->revision = (*result)->revision;
  } else {
    answer->failed = result.error().code();
  }
}

Task<void> writer(World* world, int writes) {
  for (int n = 0; n < writes; ++n) {
    Answer answer;
    answer.key = "/k/" + std::to_string(world->random.below(6));
    answer.text = std::to_string(world->random.next());
    answer.how = world->random.below(3) == 0 ? Durability::soft : Durability::durable;
    StoredPtr seen = world->store->get(answer.key);
    answer.wanted = !seen ? Event::Type::created
                          : (world->random.below(4) == 0 ? Event::Type::deleted : Event::Type::updated);
    answer.expected = seen && world->random.below(4) > 0 ? seen->revision : 0;
    co_await one_write(world, &answer);
    world->answers.push_back(answer);
    if (world->random.below(3) == 0) {
      co_await loop::sleep(world->loop, Duration(world->random.below(3'000'000)));
    }
  }
}

// The events since the store was opened, checked for order and for each leading on from the last.
std::map<Revision, Event> read_history(Watch& watch, std::map<std::string, StoredPtr>& state) {
  std::map<Revision, Event> events;
  Revision last = 0;
  for (auto some = watch.take(); !some.empty(); some = watch.take()) {
    for (const Event& event : some) {
      REQUIRE(event.revision > last);
      last = event.revision;
      auto found = state.find(event.object->key);
      REQUIRE((event.previous ? found != state.end() && found->second == event.previous
                              : found == state.end()));
      if (event.type == Event::Type::deleted) {
        state.erase(found);
      } else {
        state[event.object->key] = event.object;
      }
      events.emplace(event.revision, event);
    }
  }
  return events;
}

void check_answers(const World& world, const std::map<Revision, Event>& events) {
  std::map<Revision, int> claimed;
  for (const Answer& answer : world.answers) {
    if (answer.failed) {
      bool possible = *answer.failed == Code::io || *answer.failed == Code::conflict ||
                      *answer.failed == Code::not_found || *answer.failed == Code::already_exists;
      REQUIRE(possible);
      REQUIRE((*answer.failed != Code::conflict || answer.expected != 0));
      continue;
    }
    REQUIRE(++claimed[answer.revision] == 1);
    const Event& event = events.at(answer.revision);
    REQUIRE(event.type == answer.wanted);
    REQUIRE(event.object->key == answer.key);
    if (answer.wanted != Event::Type::deleted) {
      REQUIRE(event.object->value["text"] == Value(answer.text));
    }
    if (answer.expected != 0) REQUIRE(event.previous->revision == answer.expected);
  }
  // A failed write left no trace: every event is somebody's success.
  REQUIRE(claimed.size() == events.size());
}

TEST_CASE("many writers with failing batches: every answer agrees with what the watch saw") {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    World world(seed);
    world.open();
    auto watch = world.store->watch("", 0).value();
    Scope scope(world.loop);
    for (int n = 0; n < 12; ++n) scope.spawn(writer(&world, 40));
    REQUIRE(world.loop.run(scope.join()).ok());
    std::map<std::string, StoredPtr> state;
    auto events = read_history(*watch, state);
    CHECK(world.answers.size() == 12 * 40);
    check_answers(world, events);
    REQUIRE(world.store->pending() == 0);
    auto now = world.store->range("", "", 0, 0);
    REQUIRE(now->items.size() == state.size());
    for (const StoredPtr& object : now->items) REQUIRE(state.at(object->key) == object);
    watch.reset();
  }
}

TEST_CASE("a crash at any moment loses nothing that was acknowledged and repeats no revision") {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    World world(seed);
    Revision highest = 0;
    for (int life = 0; life < 6; ++life) {
      world.open();
      REQUIRE(world.store->revision() >= highest);
      world.answers.clear();
      world.removing.clear();
      std::map<std::string, StoredPtr> state;
      auto found_there = world.store->range("", "", 0, 0);
      for (const StoredPtr& object : found_there->items) state[object->key] = object;
      auto watch = world.store->watch("", 0).value();
      {
        Scope scope(world.loop);
        for (int n = 0; n < 8; ++n) scope.spawn(writer(&world, 1000));
        world.loop.run_for(Duration(world.random.below(40'000'000)));
      }
      auto events = read_history(*watch, state);
      if (!events.empty()) highest = std::max(highest, events.rbegin()->first);
      watch.reset();
      world.store.reset();  // the crash
      // What was acknowledged as durable is on the disk, unless a later batch under way replaced it.
      std::map<std::string, Revision> acknowledged;
      for (const Answer& answer : world.answers) {
        bool soft = answer.how == Durability::soft && answer.wanted != Event::Type::deleted;
        if (answer.failed || soft) continue;
        auto& newest = acknowledged[answer.key];
        newest = std::max(newest, answer.revision);
      }
      for (const auto& [key, revision] : acknowledged) {
        CAPTURE(key, revision);
        bool removed = events.at(revision).type == Event::Type::deleted;
        auto found = world.disk->objects.find(key);
        if (found != world.disk->objects.end()) {
          REQUIRE((removed ? found->second->revision > revision : found->second->revision >= revision));
        } else if (!removed) {
          REQUIRE(world.removing[key] > 0);  // gone by a removal that was under way
        }
      }
    }
  }
}

}  // namespace
}  // namespace orch::store
