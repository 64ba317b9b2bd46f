// Random histories against a std::map that keeps every state there ever was.

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <map>

#include "base/random.h"
#include "loop/virtual_loop.h"
#include "store/memory_store.h"
#include "store/sqlite_store.h"
#include "support.h"
#include "thread_loop.h"

namespace orch::store {
namespace {

using test::small;
using test::stamp;

struct Version {
  std::string text;
  Revision created = 0;
  Revision revision = 0;
  bool operator==(const Version&) const = default;
};
using State = std::map<std::string, Version>;

// The oracle.
struct Model {
  State now;
  State durable;
  std::map<Revision, State> past;  // after each revision since the last start

  void change(Revision revision) { past[revision] = now; }
  const State& at(Revision revision) const { return std::prev(past.upper_bound(revision))->second; }
};

State as_state(const std::vector<StoredPtr>& items) {
  State state;
  for (const StoredPtr& item : items) {
    REQUIRE(item->value["metadata"]["resourceVersion"] == Value(std::to_string(item->revision)));
    state[item->key] = {std::string(item->value["text"].as_string()), item->created, item->revision};
  }
  return state;
}

State with_prefix(const State& state, const std::string& prefix, const std::string& after) {
  State part;
  for (const auto& [key, version] : state) {
    if (key.starts_with(prefix) && key > after) part.emplace(key, version);
  }
  return part;
}

// Applies what a watch reports to `state`, which must lead from one state to the next.
void replay(Watch& watch, const std::string& prefix, State& state, Revision& last) {
  for (auto events = watch.take(); !events.empty(); events = watch.take()) {
    for (const Event& event : events) {
      REQUIRE(event.revision > last);
      last = event.revision;
      const std::string& key = event.object->key;
      REQUIRE(key.starts_with(prefix));
      REQUIRE(event.object->revision == event.revision);
      REQUIRE((event.previous != nullptr) == state.contains(key));
      if (event.previous) REQUIRE(event.previous->revision == state[key].revision);
      if (event.type == Event::Type::deleted) {
        state.erase(key);
      } else {
        REQUIRE((event.type == Event::Type::created) == !state.contains(key));
        state[key] = as_state({event.object})[key];
      }
    }
  }
}

template <class LoopType>
class Run {
 public:
  Run(uint64_t seed, std::function<std::unique_ptr<CoreStore>(LoopType&)> open)
      : random_(seed), open_(std::move(open)) {
    reopen();
  }
  ~Run() { watch_.reset(); }

  void step() {
    switch (random_.below(12)) {
      case 0: case 1: case 2: return create();
      case 3: case 4: case 5: return update();
      case 6: case 7: return remove();
      case 8: return check_range();
      case 9: return check_watch();
      case 10: return random_.below(20) == 0 ? store_->compact(random_revision()) : check_range();
      default: return random_.below(25) == 0 ? restart() : check_range();
    }
  }
  void restart() {
    check_watch();
    bool clean = random_.below(2) == 0;
    if (clean) REQUIRE(loop_.run(store_->close()).ok());
    watch_.reset();
    Revision before = store_->revision();
    store_.reset();
    model_.now = model_.durable;
    reopen();
    REQUIRE(store_->revision() >= before);
    REQUIRE((clean ? store_->revision() == before : true));
  }
  void check_range() {
    std::string prefix = random_prefix();
    std::string after = random_.below(3) == 0 ? random_key() : "";
    size_t limit = random_.below(2) * (1 + random_.below(10));
    Revision at = random_.below(2) == 0 ? 0 : random_revision();
    auto result = store_->range(prefix, after, limit, at);
    if (at != 0 && at < store_->compacted()) {
      REQUIRE(result.error().is(Code::expired));
      return;
    }
    REQUIRE(result.ok());
    REQUIRE(result->revision == (at ? at : store_->revision()));
    State expected = with_prefix(at ? model_.at(at) : model_.now, prefix, after);
    REQUIRE(result->items.size() + result->remaining == expected.size());
    while (limit != 0 && expected.size() > limit) expected.erase(std::prev(expected.end()));
    REQUIRE(as_state(result->items) == expected);
    REQUIRE(std::ranges::is_sorted(result->items, {}, [](auto& item) { return item->key; }));
    REQUIRE(store_->count(prefix) == with_prefix(model_.now, prefix, "").size());
  }
  void check_watch() {
    if (watch_from_ >= store_->compacted()) {
      replay(*watch_, watch_prefix_, watched_, last_);
      REQUIRE(watched_ == with_prefix(model_.now, watch_prefix_, ""));
      REQUIRE(watch_->progress() == store_->revision());
    }
    // Another one, from somewhere in the past.
    watch_prefix_ = random_prefix();
    watch_from_ = random_revision();
    auto watch = store_->watch(watch_prefix_, watch_from_);
    if (watch_from_ < store_->compacted()) {
      REQUIRE(watch.error().is(Code::expired));
      watch_from_ = store_->revision();
      watch = store_->watch(watch_prefix_, watch_from_);
    }
    REQUIRE(watch.ok());
    watch_ = std::move(*watch);
    last_ = watch_from_;
    watched_ = with_prefix(model_.at(watch_from_), watch_prefix_, "");
  }

 private:
  void reopen() {
    store_ = open_(loop_);
    model_.past.clear();
    model_.change(store_->revision());
    REQUIRE(as_state(store_->range("", "", 0, 0)->items) == model_.now);
    watch_from_ = store_->revision();
    watch_prefix_ = "";
    auto watch = store_->watch("", watch_from_);
    REQUIRE(watch.ok());
    watch_ = std::move(*watch);
    watched_ = model_.now;
    last_ = watch_from_;
  }
  std::string random_key() {
    return std::string(random_.below(2) == 0 ? "/pods/" : "/nodes/") + std::to_string(random_.below(30));
  }
  std::string random_prefix() {
    static const std::vector<std::string> kPrefixes{"", "/pods/", "/nodes/", "/pods/1", "/pods/12", "/x"};
    return kPrefixes[random_.below(kPrefixes.size())];
  }
  Revision random_revision() {
    Revision first = model_.past.begin()->first;
    return first + static_cast<Revision>(random_.below(static_cast<uint64_t>(store_->revision() - first) + 1));
  }
  Revision random_expected(const std::string& key) {
    auto found = model_.now.find(key);
    if (random_.below(3) == 0 || found == model_.now.end()) return 0;
    return found->second.revision - (random_.below(5) == 0 ? 1 : 0);
  }
  Durability random_durability() { return random_.below(3) == 0 ? Durability::soft : Durability::durable; }

  void accept(const Result<StoredPtr>& result, const std::string& text, bool durable) {
    const Stored& stored = **result;
    REQUIRE(stored.revision > model_.past.rbegin()->first);
    auto& version = model_.now[stored.key];
    version = {text, version.created ? version.created : stored.revision, stored.revision};
    REQUIRE(stored.created == version.created);
    if (durable) model_.durable[stored.key] = version;
    model_.change(stored.revision);
  }
  void create() {
    std::string key = random_key(), text = std::to_string(random_.next());
    Durability how = random_durability();
    auto result = loop_.run(store_->create(key, small(text), stamp, how));
    if (model_.now.contains(key)) {
      REQUIRE(result.error().is(Code::already_exists));
    } else {
      REQUIRE(result.ok());
      accept(result, text, how == Durability::durable);
    }
  }
  void update() {
    std::string key = random_key(), text = std::to_string(random_.next());
    Revision expected = random_expected(key);
    Durability how = random_durability();
    auto result = loop_.run(store_->update(key, small(text), expected, stamp, how));
    auto found = model_.now.find(key);
    if (found == model_.now.end()) {
      REQUIRE(result.error().is(Code::not_found));
    } else if (expected != 0 && expected != found->second.revision) {
      REQUIRE(result.error().is(Code::conflict));
    } else {
      REQUIRE(result.ok());
      accept(result, text, how == Durability::durable);
    }
  }
  void remove() {
    std::string key = random_key();
    Revision expected = random_expected(key);
    auto result = loop_.run(store_->remove(key, expected, stamp));
    auto found = model_.now.find(key);
    if (found == model_.now.end()) {
      REQUIRE(result.error().is(Code::not_found));
    } else if (expected != 0 && expected != found->second.revision) {
      REQUIRE(result.error().is(Code::conflict));
    } else {
      REQUIRE(result.ok());
      model_.now.erase(found);
      model_.durable.erase(key);
      model_.change((*result)->revision);
    }
  }

  LoopType loop_;
  SeededRandom random_;
  std::function<std::unique_ptr<CoreStore>(LoopType&)> open_;
  std::unique_ptr<CoreStore> store_;
  std::unique_ptr<Watch> watch_;
  std::string watch_prefix_;
  Revision watch_from_ = 0;
  Revision last_ = 0;
  State watched_;
  Model model_;
};

TEST_CASE("random histories in memory agree with a map of every state") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    auto disk = std::make_shared<MemoryDisk>();
    Run<loop::VirtualLoop> run(seed, [&](loop::VirtualLoop& loop) {
      CoreOptions options{.history = {.events = 40 * seed}, .revision_block = 50};
      return std::make_unique<MemoryStore>(loop, options, disk);
    });
    for (int step = 0; step < 1500; ++step) run.step();
    run.restart();
  }
}

TEST_CASE("random histories on disk agree with a map of every state") {
  for (uint64_t seed = 101; seed <= 103; ++seed) {
    CAPTURE(seed);
    test::TemporaryDirectory directory;
    Run<test::ThreadLoop> run(seed, [&](test::ThreadLoop& loop) -> std::unique_ptr<CoreStore> {
      auto store = SqliteStore::open(
          loop,
          {.directory = directory.path(),
           .core = {.history = {.events = 200}, .revision_block = 200},
           .housekeeping = {.checkpoint_pages = 20, .vacuum_pages = 4, .snapshot_churn = 20000},
           .sync = false},
          Logger::discard());
      REQUIRE(store.ok());
      return std::move(*store);
    });
    for (int step = 0; step < 1500; ++step) run.step();
    run.restart();
  }
}

}  // namespace
}  // namespace orch::store
