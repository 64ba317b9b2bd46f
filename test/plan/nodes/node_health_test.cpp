#include "plan/nodes/node_health.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <map>

#include "base/random.h"
#include "plan/core/pod.h"
#include "plan/core/status.h"
#include "plan/nodes/disruption.h"
#include "support/plan_world.h"

using namespace orch;
using namespace orch::plan;
using namespace orch::test;

namespace {

struct Nodes : PlanWorld {
  Nodes() : PlanWorld({node_reconciler()}) {}

  void node(std::string_view name, std::string_view ready = "True") {
    std::vector<Value> conditions;
    if (!ready.empty()) conditions.push_back(Value::object({{"type", "Ready"}, {"status", ready}, {"reason", "KubeletReady"}}));
    add(types::nodes, Value::object({{"metadata", Value::object({{"name", name}})},
                                     {"status", Value::object({{"conditions", Value::list(conditions)}})}}));
  }
  Value lease(std::string_view name) {
    return add(types::leases, Value::object({{"metadata", Value::object({{"name", name}, {"namespace", "kube-node-lease"}})}}));
  }
  void renew(std::string_view name) {
    Value found = get(types::leases, "kube-node-lease", name);
    change(types::leases, found, [this](const Value& v) {
      return v.with_path({"spec", "renewTime"}, Value(format_micro_time(now)));
    });
  }
  void set_ready(std::string_view name, std::string_view status) {
    change(types::nodes, find(name), [&](const Value& v) {
      Value ready = Value::object({{"type", "Ready"}, {"status", status}, {"lastTransitionTime", format_time(now)}});
      return v.with_path({"status", "conditions"}, set_condition(v["status"]["conditions"], ready));
    });
  }
  Value find(std::string_view name) const { return get(types::nodes, "", name); }
  std::string ready(std::string_view name) const {
    const Value n = find(name);
    return std::string(find_condition(n["status"]["conditions"], "Ready")["status"].as_string());
  }
  std::string taints(std::string_view name) const {
    std::string text;
    const Value n = find(name);
    for (const Value& taint : n["spec"]["taints"].items())
      text += std::string(taint["key"].as_string().substr(19)) + ":" + std::string(taint["effect"].as_string()) + " ";
    return text;
  }
};

}  // namespace

TEST_CASE("A node whose Lease is not renewed for 40 seconds is unknown, and tainted") {
  Nodes world;
  for (std::string_view name : {"n1", "n2"}) {
    world.node(name);
    world.lease(name);
  }
  world.now = world.now + 39s;
  world.renew("n2");
  REQUIRE(world.settle());
  CHECK(world.ready("n1") == "True");
  auto again = world.decide(node_reconciler(), ObjectKey{"", "", "n1"}).requeue_after;
  REQUIRE(again.has_value());
  world.now = world.now + *again;
  REQUIRE(world.settle());
  CHECK(world.ready("n1") == "Unknown");
  const Value node = world.find("n1");
  const Value& condition = find_condition(node["status"]["conditions"], "Ready");
  CHECK(condition["reason"] == Value("NodeStatusUnknown"));
  CHECK(condition["message"] == Value("Kubelet stopped posting node status."));
  const Value& pressure = find_condition(node["status"]["conditions"], "MemoryPressure");
  CHECK(pressure["status"] == Value("Unknown"));
  CHECK(pressure["reason"] == Value("NodeStatusNeverUpdated"));
  CHECK(pressure["message"] == Value("Kubelet never posted node status."));
  CHECK(world.taints("n1") == "unreachable:NoSchedule unreachable:NoExecute ");
  CHECK(world.taints("n2") == "");
  for (const Value& taint : node["spec"]["taints"].items())
    if (taint["effect"] == Value("NoExecute")) CHECK(taint["timeAdded"].is_string());
}

TEST_CASE("What counts is when we saw the Lease change, not the time it says") {
  Nodes world;
  world.node("n1");
  Value lease = world.lease("n1");
  world.change(types::leases, lease, [](const Value& v) {
    return v.with_path({"spec", "renewTime"}, Value("1970-01-01T00:00:00.000000Z"));
  });
  world.now = world.now + 30s;
  REQUIRE(world.settle());
  CHECK(world.ready("n1") == "True");
}

TEST_CASE("A node that never reported gets a minute") {
  Nodes world;
  world.node("n1", "");
  world.now = world.now + 59s;
  REQUIRE(world.settle());
  CHECK(world.ready("n1").empty());
  world.now = world.now + 2s;
  REQUIRE(world.settle());
  CHECK(world.ready("n1") == "Unknown");
}

TEST_CASE("Taints follow the node's conditions and its being cordoned, and leave others' alone") {
  Nodes world;
  world.node("n1");
  world.node("n2");
  world.change(types::nodes, world.find("n1"), [](const Value& v) {
    Value own = Value::object({{"key", "node.kubernetes.io/mine"}, {"effect", "NoSchedule"}});
    return v.with_path({"spec", "taints"}, Value::list({own})).with_path({"spec", "unschedulable"}, Value(true));
  });
  world.set_ready("n1", "False");
  REQUIRE(world.settle());
  CHECK(world.taints("n1") == "mine:NoSchedule not-ready:NoSchedule unschedulable:NoSchedule not-ready:NoExecute ");
  world.set_ready("n1", "True");
  world.change(types::nodes, world.find("n1"), [](const Value& v) { return v.with_path({"spec", "unschedulable"}, std::nullopt); });
  REQUIRE(world.settle());
  CHECK(world.taints("n1") == "mine:NoSchedule ");
}

TEST_CASE("Pods of a node that is down count as not ready") {
  Nodes world;
  world.node("node-1");
  world.node("n2");
  world.add(types::pods, Value::object({{"metadata", Value::object({{"name", "p"}, {"namespace", "default"}})},
                                        {"spec", Value::object({{"nodeName", "node-1"}})}}));
  world.make_pods_ready();
  REQUIRE(world.settle());
  CHECK(is_pod_ready(world.get(types::pods, "default", "p")));
  world.set_ready("node-1", "False");
  REQUIRE(world.settle());
  CHECK(!is_pod_ready(world.get(types::pods, "default", "p")));
}

TEST_CASE("Where no node is ready nothing is evicted, nor where most of a small zone is down") {
  Nodes world;
  for (int i = 1; i <= 5; ++i) world.node("n" + std::to_string(i));
  for (int i = 1; i <= 5; ++i) world.set_ready("n" + std::to_string(i), "False");
  REQUIRE(world.settle());
  CHECK(world.taints("n1") == "not-ready:NoSchedule ");
  CHECK(disruption_around(world.snapshot(), world.find("n1")) == Disruption::full);

  world.set_ready("n5", "True");  // 4 of 5 are down
  REQUIRE(world.settle());
  CHECK(world.taints("n1") == "not-ready:NoSchedule ");
  CHECK(disruption_around(world.snapshot(), world.find("n1")) == Disruption::partial);

  for (const char* name : {"n3", "n4"}) world.set_ready(name, "True");  // 2 of 5
  REQUIRE(world.settle());
  CHECK(world.taints("n1") == "not-ready:NoSchedule not-ready:NoExecute ");
}

namespace {

struct Zones : Nodes {
  void zone(std::string_view zone, int count) {
    for (int i = 0; i < count; ++i) {
      Value labels = Value::object({{"topology.kubernetes.io/zone", zone}});
      Value ready = Value::object({{"type", "Ready"}, {"status", "True"}});
      add(types::nodes, Value::object({{"metadata", Value::object({{"name", std::string(zone) + std::to_string(i)}, {"labels", labels}})},
                                       {"status", Value::object({{"conditions", Value::list({ready})}})}}));
    }
  }
  // Time passes, and every node says what it said before.
  void pass(Duration time) {
    now = now + time;
    for (const Value& node : list(types::nodes)) change(types::nodes, node, [](const Value& v) { return v; });
  }
  bool is_given_up(std::string_view name) const { return taints(name).find("NoExecute") != std::string::npos; }
  int given_up(std::string_view zone) const {
    int count = 0;
    for (const Value& node : list(types::nodes))
      if (name_of(node).starts_with(zone) && is_given_up(name_of(node))) ++count;
    return count;
  }
  std::optional<Duration> wait(std::string_view name) {
    return time_until_eviction(snapshot(), find(name), now);
  }
};

}  // namespace

TEST_CASE("A zone gives up one node in ten seconds, the one that has been down longest first") {
  Zones world;
  world.zone("a", 6);
  world.zone("b", 6);
  world.set_ready("a2", "False");
  world.pass(1s);
  for (const char* name : {"a0", "a1", "b0"}) world.set_ready(name, "False");
  REQUIRE(world.settle());
  CHECK(world.is_given_up("a2"));
  CHECK(world.given_up("a") == 1);
  CHECK(world.given_up("b") == 1);  // each zone by itself
  CHECK(world.wait("a0") == 10s);
  CHECK(world.wait("a1") == 20s);
  CHECK(world.decide(node_reconciler(), ObjectKey{"", "", "a1"}).requeue_after == 20s);
  world.pass(9s);
  REQUIRE(world.settle());
  CHECK(world.given_up("a") == 1);
  world.pass(1s);
  REQUIRE(world.settle());
  CHECK(world.is_given_up("a0"));
  CHECK(world.given_up("a") == 2);
}

TEST_CASE("Of a large zone that is mostly down a node goes in 100 seconds, of a small one none") {
  Zones world;
  world.zone("ok", 1);
  world.zone("large", 51);
  world.zone("small", 50);
  for (int i = 0; i < 30; ++i) {
    world.set_ready("large" + std::to_string(i), "Unknown");
    world.set_ready("small" + std::to_string(i), "Unknown");
  }
  CHECK(disruption_around(world.snapshot(), world.find("large0")) == Disruption::partial);
  REQUIRE(world.settle());
  CHECK(world.given_up("large") == 1);
  CHECK(world.given_up("small") == 0);
  CHECK(world.wait("large1") == 100s);
  CHECK(!world.wait("small1").has_value());
  world.pass(99s);
  REQUIRE(world.settle());
  CHECK(world.given_up("large") == 1);
  world.pass(1s);
  REQUIRE(world.settle());
  CHECK(world.given_up("large") == 2);
}

TEST_CASE("A zone that is down as a whole, while another one is up, is given up at the usual pace") {
  Zones world;
  world.zone("a", 3);
  world.zone("b", 1);
  for (const char* name : {"a0", "a1", "a2"}) world.set_ready(name, "Unknown");
  CHECK(disruption_around(world.snapshot(), world.find("a0")) == Disruption::none);
  REQUIRE(world.settle());
  CHECK(world.given_up("a") == 1);
  CHECK(world.wait("a1") == 10s);
}

TEST_CASE("A node that was given up as not ready and then falls silent changes its taint at once") {
  Zones world;
  world.zone("a", 5);
  world.set_ready("a0", "False");
  REQUIRE(world.settle());
  CHECK(world.taints("a0") == "not-ready:NoSchedule not-ready:NoExecute ");
  world.pass(1s);
  world.set_ready("a0", "Unknown");
  REQUIRE(world.settle());
  CHECK(world.taints("a0") == "unreachable:NoSchedule unreachable:NoExecute ");
}

TEST_CASE("A taint from before the clock was set back holds nobody up") {
  Zones world;
  world.zone("a", 6);
  world.set_ready("a0", "False");
  REQUIRE(world.settle());
  world.now = world.now - 1h;
  world.set_ready("a1", "False");
  REQUIRE(world.settle());
  CHECK(world.is_given_up("a1"));
}

TEST_CASE("However nodes come and go, no zone gives up two within ten seconds, and in the end all that stay down") {
  const auto seed = GENERATE(range(0, 20));
  CAPTURE(seed);
  SeededRandom random(static_cast<uint64_t>(seed));
  Zones world;
  world.zone("a", 12);
  world.zone("b", 8);
  std::map<std::string, Instant> last;  // by zone
  std::map<std::string, bool> was;
  auto look = [&] {
    for (const Value& node : world.list(types::nodes)) {
      const std::string name(name_of(node)), zone = name.substr(0, 1);
      const bool is = world.is_given_up(name);
      if (is && !was[name]) {
        // Times in objects have whole seconds.
        if (last.count(zone)) CHECK(world.now - last[zone] > 9s);
        last[zone] = world.now;
      }
      was[name] = is;
    }
  };
  world.after_plan = look;
  for (int round = 0; round < 40; ++round) {
    // Only down, so that the taint of the last one is still there: see the room's README.
    const std::string name = (random.below(2) ? "a" : "b") + std::to_string(random.below(4));
    world.set_ready(name, random.below(2) ? "False" : "Unknown");
    world.pass(std::chrono::milliseconds(random.below(6000)));
    REQUIRE(world.settle());
  }
  for (int i = 0; i < 10; ++i) {
    world.pass(10s);
    REQUIRE(world.settle());
  }
  for (const Value& node : world.list(types::nodes))
    CHECK(world.is_given_up(name_of(node)) == (world.ready(name_of(node)) != "True"));
}
