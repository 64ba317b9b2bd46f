#include "plan/gc/pod_collector.h"

#include <catch2/catch_test_macros.hpp>

#include "support/plan_world.h"

using namespace orch;
using namespace orch::plan;
using namespace orch::test;

namespace {

struct Pods : PlanWorld {
  Pods() : PlanWorld({pod_collector()}) {}
  Value node(std::string_view name) {
    return add(types::nodes, Value::object({{"metadata", Value::object({{"name", name}})}}));
  }
  Value pod(std::string_view name, std::string_view node) {
    ObjectBuilder spec;
    spec.set_if("nodeName", Value(node));
    return add(types::pods, Value::object({{"metadata", Value::object({{"name", name}, {"namespace", "default"}})},
                                           {"spec", std::move(spec).build()}}));
  }
  void finish(const Value& p, std::string_view phase) {
    change(types::pods, p, [&](const Value& v) { return v.with_path({"status", "phase"}, Value(phase)); });
  }
};

}  // namespace

TEST_CASE("Pods of a node that is gone are marked and removed, others stay") {
  Pods world;
  Value node = world.node("n1");
  world.node("n2");
  world.pod("lost", "n1");
  world.pod("kept", "n2");
  world.pod("waiting", "");
  CHECK(world.step() == 0);
  world.finish_deletion(types::nodes, node);
  CHECK(world.step() == 0);
  world.now = world.now + 39s;
  CHECK(world.decide(pod_collector(), ObjectKey{"", "default", "lost"}).requeue_after == 1s);
  world.now = world.now + 1s;
  Plan plan = world.decide(pod_collector(), ObjectKey{"", "default", "lost"});
  CHECK(format_plan(plan) ==
        "update pods/status default/lost if-absent nodes/n1\n"
        "remove pods default/lost if-absent nodes/n1\n");
  CHECK(plan.actions[0].object["status"]["phase"] == Value("Failed"));
  const Value& condition = plan.actions[0].object["status"]["conditions"].at(0);
  CHECK(condition["type"] == Value("DisruptionTarget"));
  CHECK(condition["reason"] == Value("DeletionByPodGC"));
  CHECK(plan.actions[1].grace_seconds == 0);
  REQUIRE(world.settle());
  CHECK(world.list(types::pods).size() == 2);
}

TEST_CASE("A node that comes back within 40 seconds keeps its pods") {
  Pods world;
  Value node = world.node("n1");
  world.pod("kept", "n1");
  world.finish_deletion(types::nodes, node);
  CHECK(world.step() == 0);
  world.now = world.now + 30s;
  node = world.node("n1");
  CHECK(world.step() == 0);
  world.finish_deletion(types::nodes, node);
  CHECK(world.step() == 0);
  world.now = world.now + 39s;  // 69 after the first loss
  CHECK(world.step() == 0);
  CHECK(world.list(types::pods).size() == 1);
  world.now = world.now + 1s;
  REQUIRE(world.settle());
  CHECK(world.list(types::pods).empty());
}

TEST_CASE("A node that comes tells the collector of its pods") {
  Pods world;
  world.pod("p", "n1");
  Value node = world.node("n1");
  const Reconciler collector = pod_collector();
  std::vector<ObjectKey> keys;
  collector.watches[1].keys_of(world.snapshot(), types::nodes, Value(), node, keys);
  CHECK(keys == std::vector<ObjectKey>{{"", "default", "p"}});
  keys.clear();
  collector.watches[1].keys_of(world.snapshot(), types::nodes, node, node, keys);
  CHECK(keys.empty());
}

TEST_CASE("A deleted pod that never got a node is removed at once") {
  Pods world;
  Value pod = world.pod("a", "");
  world.change(types::pods, pod, [&](const Value& v) {
    return v.with_path({"metadata", "deletionTimestamp"}, Value(format_time(world.now)));
  });
  REQUIRE(world.settle());
  CHECK(world.list(types::pods).empty());
}

TEST_CASE("Of too many finished pods the oldest go") {
  Pods world;
  world.node("n1");
  for (int i = 0; i < 5; ++i) {
    world.now = world.now + 10s;
    world.finish(world.pod("p" + std::to_string(i), "n1"), i % 2 == 0 ? "Succeeded" : "Failed");
  }
  world.pod("running", "n1");
  CHECK(collect_finished_pods(world.snapshot(), 5).empty());
  CHECK(!world.act(collect_finished_pods(world.snapshot(), 3)).has_value());
  CHECK(world.list(types::pods).size() == 4);
  CHECK(world.get(types::pods, "default", "p0").is_null());
  CHECK(world.get(types::pods, "default", "p1").is_null());
  CHECK(collect_finished_pods(world.snapshot(), 3).empty());
}

TEST_CASE("Deleted pods on a node that is out of service are removed though the node says nothing") {
  Pods world;
  world.graceful_pods = true;
  Value node = world.node("n1");
  Value pod = world.pod("a", "n1");
  world.request_deletion(types::pods, pod);
  CHECK(world.step() == 0);
  world.change(types::nodes, node, [](const Value& v) {
    Value taint = Value::object({{"key", "node.kubernetes.io/out-of-service"}, {"effect", "NoExecute"}});
    return v.with_path({"spec", "taints"}, Value::list({taint}));
  });
  REQUIRE(world.settle());
  CHECK(world.list(types::pods).empty());
}
