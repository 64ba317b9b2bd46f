#include "plan/nodes/pod_cidr.h"

#include <catch2/catch_test_macros.hpp>

#include <set>

#include "plan/core/object.h"
#include "support/fake_cluster.h"

using namespace orch;
using namespace orch::plan;

namespace {

struct World : test::FakeCluster {
  std::string cluster_cidr = "10.42.0.0/16";

  void node(const std::string& name, const std::string& range = {}) {
    ObjectBuilder spec;
    spec.set_if("podCIDR", Value(range));
    add(types::nodes, Value::object({{"metadata", Value::object({{"name", name}})}, {"spec", std::move(spec).build()}}));
  }
  Plan decide() const {
    Context context{now, Mono{}, nullptr, {}};
    context.cluster_cidr = cluster_cidr;
    return reconcile_pod_cidrs(snapshot(), ObjectKey{}, context);
  }
  void settle() {
    for (const Action& action : decide().actions) REQUIRE(merge_patch(action.ref, action.object).ok());
  }
  std::string range(const std::string& name) const {
    const Value found = get(types::nodes, "", name);
    return std::string(found["spec"]["podCIDR"].as_string());
  }
};

}  // namespace

TEST_CASE("Nodes get the first free /24 each, in one plan, and keep it") {
  World world;
  world.node("a");
  world.node("b", "10.42.1.0/24");
  world.node("c");
  world.settle();
  CHECK(world.range("a") == "10.42.0.0/24");
  CHECK(world.range("b") == "10.42.1.0/24");
  CHECK(world.range("c") == "10.42.2.0/24");
  CHECK(world.decide().empty());
  world.request_deletion(types::nodes, world.get(types::nodes, "", "a"));
  world.node("d");
  world.settle();
  CHECK(world.range("d") == "10.42.0.0/24");
}

TEST_CASE("A range given by hand is not overlapped, whatever its size") {
  World world;
  world.node("by-hand", "10.42.0.0/23");
  world.node("other");
  world.settle();
  CHECK(world.range("other") == "10.42.2.0/24");
}

TEST_CASE("A full cluster range is said in an Event, and tried again") {
  World world;
  world.cluster_cidr = "10.42.0.0/23";
  for (int i = 0; i < 3; ++i) world.node("n" + std::to_string(i));
  const Plan plan = world.decide();
  CHECK(plan.actions.size() == 2);
  REQUIRE(plan.notes.size() == 1);
  CHECK(plan.notes[0].reason == "CIDRNotAvailable");
  CHECK(plan.requeue_after.has_value());
}

TEST_CASE("Two hundred and fifty-six nodes have ranges of their own; IPv6 ranges are /64") {
  World world;
  for (int i = 0; i < 256; ++i) world.node("n" + std::to_string(i));
  world.settle();
  std::set<std::string> ranges;
  for (int i = 0; i < 256; ++i) ranges.insert(world.range("n" + std::to_string(i)));
  CHECK(ranges.size() == 256);
  World six;
  six.cluster_cidr = "fd00:42::/56";
  six.node("a");
  six.node("b");
  six.settle();
  CHECK(six.range("a") == "fd00:42::/64");
  CHECK(six.range("b") == "fd00:42:0:1::/64");
}
