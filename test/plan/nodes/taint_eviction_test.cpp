#include "plan/nodes/taint_eviction.h"

#include <catch2/catch_test_macros.hpp>

#include "support/plan_world.h"

using namespace orch;
using namespace orch::plan;
using namespace orch::test;

namespace {

const Instant start{1'767'225'600'000'000'000};

Value taint(std::string_view key, std::string_view effect = "NoExecute") {
  return Value::object({{"key", key}, {"effect", effect}, {"timeAdded", format_time(start)}});
}
Value tolerate(std::string_view key, std::optional<int64_t> seconds = {}) {
  Value toleration = Value::object({{"key", key}, {"operator", "Exists"}, {"effect", "NoExecute"}});
  return seconds ? toleration.with("tolerationSeconds", *seconds) : toleration;
}
std::optional<Instant> at(std::vector<Value> taints, std::vector<Value> tolerations) {
  Value node = Value::object({{"spec", Value::object({{"taints", Value::list(std::move(taints))}})}});
  Value pod = Value::object({{"spec", Value::object({{"tolerations", Value::list(std::move(tolerations))}})}});
  return eviction_time(pod, node);
}

}  // namespace

TEST_CASE("A pod leaves when it does not tolerate a taint, or when the shortest toleration is over") {
  CHECK(at({}, {}) == std::nullopt);
  CHECK(at({taint("a", "NoSchedule")}, {}) == std::nullopt);
  CHECK(at({taint("a")}, {}) == Instant{});
  CHECK(at({taint("a")}, {tolerate("a")}) == std::nullopt);
  CHECK(at({taint("a")}, {tolerate("b")}) == Instant{});
  CHECK(at({taint("a")}, {tolerate("a", 300)}) == start + 300s);
  CHECK(at({taint("a"), taint("b")}, {tolerate("a", 300), tolerate("b", 60)}) == start + 60s);
  CHECK(at({taint("a"), taint("b")}, {tolerate("a", 300)}) == Instant{});
  CHECK(at({taint("a")}, {tolerate("a", -5)}) == start);
  Value all = Value::object({{"operator", "Exists"}});
  CHECK(at({taint("a"), taint("b")}, {all}) == std::nullopt);
  Value equal = Value::object({{"key", "a"}, {"value", "x"}});
  CHECK(at({taint("a").with("value", "x")}, {equal}) == std::nullopt);
  CHECK(at({taint("a").with("value", "y")}, {equal}) == Instant{});
}

TEST_CASE("A pod is evicted with a reason once its time has come, and only then") {
  PlanWorld world({taint_eviction_reconciler()});
  world.graceful_pods = true;
  world.add(types::nodes, Value::object({{"metadata", Value::object({{"name", "n1"}})},
                                         {"spec", Value::object({{"taints", Value::list({taint("a")})}})}}));
  Value spec = Value::object({{"nodeName", "n1"}, {"tolerations", Value::list({tolerate("a", 300)})}});
  world.add(types::pods, Value::object({{"metadata", Value::object({{"name", "p"}, {"namespace", "default"}})}, {"spec", spec}}));
  Plan plan = world.decide(taint_eviction_reconciler(), ObjectKey{"", "default", "p"});
  CHECK(plan.empty());
  CHECK(plan.requeue_after == 300s);
  world.now = world.now + 300s;
  REQUIRE(world.settle());
  Value pod = world.get(types::pods, "default", "p");
  CHECK(is_deleting(pod));
  const Value& condition = pod["status"]["conditions"].at(0);
  CHECK(condition["type"] == Value("DisruptionTarget"));
  CHECK(condition["reason"] == Value("DeletionByTaintManager"));
  CHECK(world.notes.back().reason == "TaintManagerEviction");
}
