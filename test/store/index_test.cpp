#include "store/index.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <map>

#include "base/random.h"
#include "store/history.h"
#include "store/sharing.h"
#include "support.h"

namespace orch::store {
namespace {

StoredPtr object(const std::string& key, Revision revision) {
  return std::make_shared<const Stored>(key, Value(revision), revision, revision);
}

std::string random_key(Random& random) {
  std::string key = random.below(2) == 0 ? "/a/" : "/b/";
  for (uint64_t n = random.below(4); n > 0; --n) key += static_cast<char>(random.below(3) == 0 ? 0xff : 'x' + random.below(3));
  return key + std::to_string(random.below(800));
}

TEST_CASE("the index keeps what a sorted map keeps, bounds and counts included") {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    CAPTURE(seed);
    SeededRandom random(seed);
    std::map<std::string, Revision> model;
    Index index;
    if (seed % 2 == 0) {
      std::vector<StoredPtr> initial;
      for (int i = 0; i < 1000; ++i) {
        std::string key = random_key(random);
        if (model.emplace(key, i + 1).second) initial.push_back(object(key, i + 1));
      }
      index.assign(std::move(initial));
    }
    for (int step = 0; step < 6000; ++step) {
      std::string key = random_key(random);
      // Grows first, shrinks to nothing later.
      if (random.below(10) < (step < 3000 ? 7u : 2u)) {
        model[key] = step + 5000;
        index.put(object(key, step + 5000));
      } else {
        model.erase(key);
        index.erase(key);
      }
      REQUIRE(index.size() == model.size());
      if (step % 50 != 0) continue;
      std::string prefix = random_key(random).substr(0, random.below(6));
      auto has_prefix = [&](const auto& entry) { return entry.first.starts_with(prefix); };
      auto expected = static_cast<size_t>(std::ranges::count_if(model, has_prefix));
      REQUIRE(index.distance(index.lower_bound(prefix), index.prefix_end(prefix)) == expected);
      auto at = index.lower_bound(prefix);
      for (auto it = model.lower_bound(prefix); it != model.end(); ++it, at = index.next(at)) {
        REQUIRE(at != index.end());
        REQUIRE(index.at(at)->key == it->first);
        REQUIRE(index.at(at)->revision == it->second);
      }
      REQUIRE(at == index.end());
    }
  }
}

TEST_CASE("sharing gives an equal value that uses the model's storage where both are equal") {
  Value a = test::pod("web-a"), b = test::pod("web-b");
  Value shared = share_storage(a, b);
  CHECK(shared == b);
  CHECK(shared["spec"].same(a["spec"]));
  CHECK(!shared["metadata"].same(a["metadata"]));
  CHECK(shared["metadata"]["labels"].same(a["metadata"]["labels"]));
  CHECK(share_storage(a, test::pod("web-a")).same(a));
  CHECK(unshared_bytes(a, a) == 0);
  CHECK(unshared_bytes(b, shared) > unshared_bytes(shared, a));
  CHECK(share_storage(Value::list({1, 2}), Value::list({1, 2, 3})) == Value::list({1, 2, 3}));
  CHECK(share_storage(Value::list({1, 2, 3}), Value::list({1, 2})) == Value::list({1, 2}));
  CHECK(share_storage(Value(), a).same(a));
  CHECK(share_storage(Value(1), Value(1.0)).is_double());
}

TEST_CASE("sharing changes no value, whatever the two are") {
  SeededRandom random(7);
  auto make = [&](auto& self, int depth) -> Value {
    switch (random.below(depth > 3 ? 4 : 6)) {
      case 0: return Value(static_cast<int64_t>(random.below(3)));
      case 1: return Value("a text that is longer than sixteen " + std::to_string(random.below(3)));
      case 2: return Value(std::to_string(random.below(4)));
      case 3: return Value();
      case 4: {
        std::vector<Value> items;
        for (uint64_t n = random.below(4); n > 0; --n) items.push_back(self(self, depth + 1));
        return Value::list(std::move(items));
      }
      default: {
        ObjectBuilder builder;
        for (uint64_t n = random.below(5); n > 0; --n) {
          builder.set(std::string(1, static_cast<char>('a' + random.below(5))), self(self, depth + 1));
        }
        return std::move(builder).build();
      }
    }
  };
  for (int i = 0; i < 3000; ++i) {
    Value model = make(make, 0), value = make(make, 0);
    Value shared = share_storage(model, value);
    REQUIRE(shared == value);
    REQUIRE(format_json(shared) == format_json(value));
    if (model == value) REQUIRE(shared.same(model));
  }
}

TEST_CASE("history is bounded by bytes of what only it keeps") {
  History history({.events = 1000, .bytes = 64 << 10}, 1);
  StoredPtr previous;
  for (Revision revision = 2; revision < 500; ++revision) {
    auto object = std::make_shared<const Stored>("/pods/a", test::pod("p" + std::to_string(revision)), 2, revision);
    history.add({previous ? Event::Type::updated : Event::Type::created, revision, object, previous});
    while (history.over_limit()) history.drop_oldest();
    previous = object;
  }
  CHECK(history.bytes() <= (64 << 10));
  CHECK(history.compacted() > 450);
  CHECK(history.end() == 498);
}

}  // namespace
}  // namespace orch::store
