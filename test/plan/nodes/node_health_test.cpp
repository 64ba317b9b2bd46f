#include "plan/nodes/node_health.h"

#include <catch2/catch_test_macros.hpp>

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
      Value ready = Value::object({{"type", "Ready"}, {"status", status}});
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
