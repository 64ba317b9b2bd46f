#include "client/informer.h"

#include <catch2/catch_test_macros.hpp>

#include "client/informers.h"
#include "loop/virtual_loop.h"
#include "support/fake_api.h"

using namespace orch;
using namespace orch::test;

namespace {

struct Followed {
  loop::VirtualLoop loop;
  FakeCluster cluster;
  FakeApi api{loop, cluster};
  client::Informers informers{loop, api, Logger::discard()};
  std::vector<std::string> changes;

  Followed() {
    informers.add({plan::types::config_maps});
    informers.on_change([this](const plan::Type&, const Value& old, const Value& now) {
      changes.push_back((old.is_null() ? "+" : now.is_null() ? "-" : "~") +
                        std::string(plan::name_of(now.is_null() ? old : now)));
    });
  }
  void start() {
    informers.start();
    loop.run_until_idle();
  }
  Value make(std::string_view name) {
    return cluster.add(plan::types::config_maps,
                       Value::object({{"metadata", Value::object({{"name", name}, {"namespace", "default"}})}}));
  }
  Value touch(const Value& object, std::string_view text) {
    return cluster.change(plan::types::config_maps, object,
                          [&](const Value& v) { return v.with_path({"data", "k"}, Value(text)); });
  }
  Value known(std::string_view name) const { return informers.snapshot().get(plan::types::config_maps, "default", name); }
  bool is_equal() const {
    auto real = cluster.list(plan::types::config_maps), seen = informers.snapshot().list(plan::types::config_maps, "");
    return real == seen;
  }
};

}  // namespace

TEST_CASE("An informer lists, then follows, and tells each change once") {
  Followed f;
  Value a = f.make("a");
  f.start();
  CHECK(f.informers.is_synced());
  f.make("b");
  f.touch(a, "x");
  f.cluster.finish_deletion(plan::types::config_maps, a);
  f.loop.run_until_idle();
  CHECK(f.changes == std::vector<std::string>{"+a", "+b", "~a", "-a"});
  CHECK(f.is_equal());
}

TEST_CASE("A list of more than one page is read to its end") {
  Followed f;
  for (int i = 0; i < 700; ++i) f.make("c" + std::to_string(i));
  f.start();
  CHECK(f.api.lists == 2);
  CHECK(f.is_equal());
}

TEST_CASE("A watch that ends is resumed where it was, without another list") {
  Followed f;
  f.start();
  f.api.break_watches();
  f.make("a");
  f.loop.run_for(1s);
  CHECK(f.api.lists == 1);
  CHECK(f.api.watches == 2);
  CHECK(f.changes == std::vector<std::string>{"+a"});
}

TEST_CASE("After 410 an informer lists again and notices what it missed") {
  Followed f;
  Value a = f.make("a");
  Value b = f.make("b");
  f.start();
  f.changes.clear();
  f.api.hold_events = true;
  f.touch(a, "x");
  f.cluster.finish_deletion(plan::types::config_maps, b);
  f.make("c");
  f.api.forget_history();
  f.api.break_watches();
  f.loop.run_for(1s);
  CHECK(f.api.lists == 2);
  CHECK(f.changes == std::vector<std::string>{"-b", "~a", "+c"});
  CHECK(f.is_equal());
}

TEST_CASE("The answer to a write is known at once, and older states do not undo it") {
  Followed f;
  Value a = f.make("a");
  f.start();
  f.api.hold_events = true;
  f.touch(a, "old");
  Value mine = f.touch(a, "mine");
  f.informers.absorb(plan::ref_of(plan::types::config_maps, mine), mine);
  CHECK(f.known("a") == mine);
  f.api.release_events();
  f.loop.run_until_idle();
  CHECK(f.known("a") == mine);
  CHECK(f.changes == std::vector<std::string>{"+a", "~a"});
}

TEST_CASE("What was removed does not come back by a late event or a late answer") {
  Followed f;
  Value a = f.make("a");
  f.start();
  f.api.hold_events = true;
  Value late = f.touch(a, "late");
  f.cluster.finish_deletion(plan::types::config_maps, a);
  f.informers.absorb(plan::ref_of(plan::types::config_maps, a), Value(), std::string(plan::uid_of(a)));
  CHECK(f.known("a").is_null());
  f.api.release_events();
  f.loop.run_until_idle();
  f.informers.absorb(plan::ref_of(plan::types::config_maps, late), late);
  CHECK(f.known("a").is_null());
  f.make("a");  // another one of the same name
  f.loop.run_until_idle();
  CHECK(f.is_equal());
}

TEST_CASE("An informer is equal to the API after any history of changes, breaks and lost history") {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    Followed f;
    f.start();
    for (int i = 0; i < 80; ++i) {
      auto all = f.cluster.list(plan::types::config_maps);
      Value any = all.empty() ? Value() : all[random.below(all.size())];
      switch (random.below(7)) {
        case 0: case 1: f.make("c" + std::to_string(random.below(10))); break;
        case 2: if (!any.is_null()) f.touch(any, std::to_string(i)); break;
        case 3: if (!any.is_null()) f.cluster.finish_deletion(plan::types::config_maps, any); break;
        case 4: f.api.break_watches(); break;
        case 5: if (random.below(3) == 0) f.api.forget_history(); break;
        default: f.loop.run_for(100ms);
      }
    }
    f.loop.run_for(60s);
    CHECK(f.is_equal());
  }
}
