#include "plan/gc/garbage_collector.h"

#include <catch2/catch_test_macros.hpp>

#include "support/plan_world.h"

using namespace orch;
using namespace orch::plan;
using namespace orch::test;

namespace {

struct Garbage : PlanWorld {
  Garbage() : PlanWorld({garbage_collector()}) {}

  static Value named(std::string_view name) {
    return Value::object({{"metadata", Value::object({{"name", name}, {"namespace", "default"}})}});
  }
  Value make(const Type& type, std::string_view name, const std::vector<Value>& references = {}) {
    Value object = named(name);
    if (!references.empty()) object = object.with_path({"metadata", "ownerReferences"}, Value::list(references));
    return add(type, object);
  }
  static Value by(const Type& type, const Value& owner, bool block = true) {
    return controller_reference(type, owner).with("blockOwnerDeletion", block).without("controller");
  }
  bool exists(const Type& type, std::string_view name) const { return !get(type, "default", name).is_null(); }
};

}  // namespace

TEST_CASE("In the background dependents go after their owner, generation by generation") {
  Garbage world;
  Value deployment = world.make(types::deployments, "web");
  Value set = world.make(types::replica_sets, "web-1", {Garbage::by(types::deployments, deployment)});
  world.make(types::pods, "web-1-a", {Garbage::by(types::replica_sets, set)});
  world.make(types::pods, "alone");
  REQUIRE(world.step() == 0);
  world.request_deletion(types::deployments, deployment, "Background");
  CHECK(format_plan(world.decide(garbage_collector(), ObjectKey{"replicasets.apps", "default", "web-1"})) ==
        "remove replicasets default/web-1 Background if-absent deployments/web\n");
  REQUIRE(world.settle());
  CHECK(!world.exists(types::replica_sets, "web-1"));
  CHECK(!world.exists(types::pods, "web-1-a"));
  CHECK(world.exists(types::pods, "alone"));
}

TEST_CASE("In the foreground an owner stays until the dependents that block it are gone") {
  Garbage world;
  world.graceful_pods = true;
  Value deployment = world.make(types::deployments, "web");
  Value set = world.make(types::replica_sets, "web-1", {Garbage::by(types::deployments, deployment)});
  Value pod = world.make(types::pods, "web-1-a", {Garbage::by(types::replica_sets, set)});
  world.make_pods_ready();
  world.request_deletion(types::deployments, deployment, "Foreground");
  REQUIRE(world.settle());
  CHECK(world.exists(types::deployments, "web"));
  CHECK(is_deleting(world.get(types::replica_sets, "default", "web-1")));
  CHECK(is_deleting(world.get(types::pods, "default", "web-1-a")));
  world.finish_deletion(types::pods, pod);
  REQUIRE(world.settle());
  CHECK(!world.exists(types::replica_sets, "web-1"));
  CHECK(!world.exists(types::deployments, "web"));
}

TEST_CASE("A dependent that does not block its owner does not hold up a foreground deletion") {
  Garbage world;
  Value set = world.make(types::replica_sets, "web");
  Value held = Garbage::named("held").with_path({"metadata", "finalizers"}, Value::list({"example.com/hold"}));
  world.add(types::pods, held.with_path({"metadata", "ownerReferences"},
                                        Value::list({Garbage::by(types::replica_sets, set, false)})));
  world.request_deletion(types::replica_sets, set, "Foreground");
  REQUIRE(world.settle());
  CHECK(!world.exists(types::replica_sets, "web"));
  CHECK(is_deleting(world.get(types::pods, "default", "held")));
}

TEST_CASE("Orphaned dependents stay and lose the owner reference") {
  Garbage world;
  Value set = world.make(types::replica_sets, "web");
  Value other = world.make(types::config_maps, "other");
  world.make(types::pods, "a", {Garbage::by(types::replica_sets, set)});
  world.make(types::pods, "b", {Garbage::by(types::replica_sets, set), Garbage::by(types::config_maps, other)});
  world.request_deletion(types::replica_sets, set, "Orphan");
  REQUIRE(world.settle());
  CHECK(!world.exists(types::replica_sets, "web"));
  CHECK(!metadata(world.get(types::pods, "default", "a")).has("ownerReferences"));
  CHECK(metadata(world.get(types::pods, "default", "b"))["ownerReferences"].size() == 1);
}

TEST_CASE("An object with another owner left only loses the reference to the one that is gone") {
  Garbage world;
  Value first = world.make(types::config_maps, "first");
  Value second = world.make(types::config_maps, "second");
  world.make(types::pods, "a", {Garbage::by(types::config_maps, first), Garbage::by(types::config_maps, second)});
  world.request_deletion(types::config_maps, first, "Background");
  REQUIRE(world.settle());
  const Value pod = world.get(types::pods, "default", "a");
  REQUIRE(metadata(pod)["ownerReferences"].size() == 1);
  CHECK(metadata(pod)["ownerReferences"].at(0)["name"] == Value("second"));
}

TEST_CASE("An owner of the same name but another uid is no owner") {
  Garbage world;
  Value old = world.make(types::config_maps, "owner");
  world.make(types::pods, "a", {Garbage::by(types::config_maps, old)});
  world.request_deletion(types::config_maps, old, "Background");
  world.make(types::config_maps, "owner");
  REQUIRE(world.settle());
  CHECK(!world.exists(types::pods, "a"));
}

TEST_CASE("What nobody can judge is kept: an unknown kind of owner, an owner from inside a namespace") {
  Garbage world;
  Value strange = Value::object({{"apiVersion", "example.com/v1"}, {"kind", "Widget"}, {"name", "x"}, {"uid", "u"}});
  world.make(types::pods, "a", {strange});
  Value node = Value::object({{"metadata", Value::object({{"name", "n"}})}});
  Value reference = Value::object({{"apiVersion", "v1"}, {"kind", "Pod"}, {"name", "gone"}, {"uid", "u"}});
  world.add(types::nodes, node.with_path({"metadata", "ownerReferences"}, Value::list({reference})));
  CHECK(world.step() == 0);
}

TEST_CASE("An owner that the snapshot has not seen yet saves its dependents") {
  Garbage world;
  Value set = world.make(types::replica_sets, "web");
  world.make(types::pods, "a", {Garbage::by(types::replica_sets, set)});
  MemorySnapshot behind;
  behind.add_type({types::replica_sets});
  behind.add_type({types::pods}).put(world.get(types::pods, "default", "a"), Mono{});
  Plan plan = reconcile_garbage(behind, ObjectKey{"pods", "default", "a"}, Context{});
  REQUIRE(plan.actions.size() == 1);
  CHECK(world.act(plan).has_value());
  CHECK(world.exists(types::pods, "a"));
}

TEST_CASE("A circle of owners that wait for each other in the foreground goes in the end") {
  Garbage world;
  Value a = world.make(types::config_maps, "a");
  Value b = world.make(types::config_maps, "b", {Garbage::by(types::config_maps, a)});
  world.change(types::config_maps, a, [&](const Value& v) {
    return v.with_path({"metadata", "ownerReferences"}, Value::list({Garbage::by(types::config_maps, b)}));
  });
  world.request_deletion(types::config_maps, a, "Foreground");
  REQUIRE(world.settle());
  CHECK(world.list(types::config_maps).empty());
}

TEST_CASE("Nothing is collected whose owners live, and everything whose owners are gone, in random forests") {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    Garbage world;
    std::vector<Value> made;
    for (int i = 0; i < 25; ++i) {
      std::vector<Value> owners;
      for (uint64_t n = random.below(3); n > 0 && !made.empty(); --n)
        owners.push_back(Garbage::by(types::config_maps, made[random.below(made.size())], random.below(2) == 0));
      made.push_back(world.make(types::config_maps, "c" + std::to_string(i), owners));
    }
    for (int i = 0; i < 6; ++i) {
      const char* how[] = {"Background", "Foreground", "Orphan"};
      world.request_deletion(types::config_maps, made[random.below(made.size())], how[random.below(3)]);
      if (random.below(2) == 0) world.step();
    }
    REQUIRE(world.settle());
    for (const Value& object : world.list(types::config_maps)) {
      CHECK(!is_deleting(object));
      for (const Value& reference : metadata(object)["ownerReferences"].items())
        CHECK(world.exists(types::config_maps, reference["name"].as_string()));
    }
  }
}
