#include "plan/gc/namespace_content.h"

#include <catch2/catch_test_macros.hpp>

#include "plan/core/status.h"
#include "support/plan_world.h"

using namespace orch;
using namespace orch::plan;
using namespace orch::test;

namespace {

struct Namespaces : PlanWorld {
  Namespaces() : PlanWorld({namespace_reconciler()}) {}
  Value make(std::string_view name) {
    return add(types::namespaces,
               Value::object({{"metadata", Value::object({{"name", name}})},
                              {"spec", Value::object({{"finalizers", Value::list({"kubernetes"})}})},
                              {"status", Value::object({{"phase", "Active"}})}}));
  }
  Value put(const Type& type, std::string_view ns, std::string_view name) {
    return add(type, Value::object({{"metadata", Value::object({{"name", name}, {"namespace", ns}})}}));
  }
  Value find(std::string_view name) const { return get(types::namespaces, "", name); }
};

}  // namespace

TEST_CASE("A namespace that lives is left alone") {
  Namespaces world;
  world.make("a");
  world.put(types::pods, "a", "p");
  CHECK(world.step() == 0);
}

TEST_CASE("A namespace that is deleted takes all its content along, and nothing of others") {
  Namespaces world;
  Value a = world.make("a");
  world.make("b");
  for (const Type& type : {types::pods, types::services, types::config_maps, types::deployments, types::events}) {
    world.put(type, "a", "x");
    world.put(type, "b", "x");
  }
  world.request_deletion(types::namespaces, a);
  REQUIRE(world.settle());
  CHECK(world.find("a").is_null());
  CHECK(!world.find("b").is_null());
  for (const Type& type : {types::pods, types::services, types::config_maps, types::deployments, types::events}) {
    CHECK(world.list(type, "a").empty());
    CHECK(world.list(type, "b").size() == 1);
  }
}

TEST_CASE("While content remains the namespace says what and why") {
  Namespaces world;
  Value a = world.make("a");
  Value held = world.put(types::config_maps, "a", "held");
  world.change(types::config_maps, held, [](const Value& v) {
    return v.with_path({"metadata", "finalizers"}, Value::list({"example.com/hold"}));
  });
  world.request_deletion(types::namespaces, a);
  REQUIRE(world.settle());
  const Value status = world.find("a")["status"];
  CHECK(status["phase"] == Value("Terminating"));
  const Value& remaining = find_condition(status["conditions"], "NamespaceContentRemaining");
  CHECK(remaining["status"] == Value("True"));
  CHECK(remaining["reason"] == Value("SomeResourcesRemain"));
  CHECK(remaining["message"] == Value("Some resources are remaining: configmaps. has 1 resource instances"));
  const Value& finalizers = find_condition(status["conditions"], "NamespaceFinalizersRemaining");
  CHECK(finalizers["message"] ==
        Value("Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"));
  CHECK(find_condition(status["conditions"], "NamespaceDeletionContentFailure")["status"] == Value("False"));

  world.finish_deletion(types::config_maps, held);
  REQUIRE(world.settle());
  CHECK(world.find("a").is_null());
}

TEST_CASE("A namespace is not let go while the API still has something the snapshot has not") {
  Namespaces world;
  Value a = world.make("a");
  world.request_deletion(types::namespaces, a);
  Plan plan = world.decide(namespace_reconciler(), ObjectKey{"", "", "a"});
  Value late = world.put(types::config_maps, "a", "late");
  CHECK(world.act(plan).has_value());
  CHECK(!world.find("a").is_null());
  REQUIRE(world.settle());
  CHECK(world.find("a").is_null());
}
