#include "plan/sched/queue.h"

#include <catch2/catch_test_macros.hpp>

#include "plan/sched/fixtures.h"

using namespace orch;
using namespace orch::plan::sched;
using namespace orch::test;

namespace {

PodPtr pod(const std::string& name, int64_t priority = 0) {
  return parse_pod(make_pod(name, "1").with_path({"spec", "priority"}, Value(priority)));
}
std::string name_of(const PodPtr& taken) { return taken ? taken->name : "none"; }
Mono at(Duration since_start) { return Mono{} + since_start; }

PluginMask bit(std::string_view name) {
  for (size_t i = 0; i < all_plugins().size(); ++i)
    if (all_plugins()[i].name == name) return PluginMask{1} << i;
  FAIL("no plugin " << name);
  return 0;
}

}  // namespace

TEST_CASE("Pods are tried by priority, then in the order they came") {
  Queue queue;
  queue.put(pod("a"), at(0s));
  queue.put(pod("b"), at(1s));
  queue.put(pod("high", 10), at(2s));
  queue.put(pod("low", -1), at(0s));
  CHECK(name_of(queue.take(at(2s))) == "high");
  CHECK(name_of(queue.take(at(2s))) == "a");
  CHECK(name_of(queue.take(at(2s))) == "b");
  CHECK(name_of(queue.take(at(2s))) == "low");
  CHECK(name_of(queue.take(at(2s))) == "none");
}

TEST_CASE("A refused pod waits for an event that can help") {
  Queue queue;
  queue.put(pod("a"), at(0s));
  queue.take(at(0s));
  queue.refuse("uid-a", bit("NodeResourcesFit"), at(0s));
  CHECK(queue.waiting() == 1);
  queue.wake(event::node_labels | event::node_taints | event::pod_added, at(2s));
  CHECK(name_of(queue.take(at(2s))) == "none");
  queue.wake(event::pod_removed, at(2s));
  CHECK(name_of(queue.take(at(2s))) == "a");
}

TEST_CASE("Which events help whom") {
  struct Case {
    std::string_view plugin;
    EventMask helps;
  };
  const EventMask room = event::node_allocatable | event::pod_removed | event::pod_changed;
  for (const Case& each : {Case{"NodeUnschedulable", event::node_taints}, Case{"TaintToleration", event::node_taints},
                           Case{"NodeAffinity", event::node_labels}, Case{"NodePorts", event::pod_removed},
                           Case{"NodeResourcesFit", room}, Case{"NodeName", 0}}) {
    INFO(each.plugin);
    for (EventMask one = 1; one <= event::node_removed; one <<= 1)
      CHECK(can_help(one, bit(each.plugin)) == (one == event::node_added || (one & each.helps) != 0));
  }
  CHECK(can_help(event::node_added, 0));
  CHECK_FALSE(can_help(event::pod_removed, 0));
}

TEST_CASE("Refused pods back off 1 s, 2 s, 4 s, 8 s, then 10 s, while there are others to try") {
  Queue queue;
  Mono now = at(0s);
  queue.put(pod("a"), now);
  queue.take(now);
  for (Duration pause : {1s, 2s, 4s, 8s, 10s, 10s}) {
    queue.refuse("uid-a", bit("NodePorts"), now);
    queue.wake(event::pod_removed, now);
    REQUIRE(queue.next_due() == now + pause);
    queue.put(pod("other"), now);
    CHECK(name_of(queue.take(now)) == "other");
    queue.done("uid-other");
    now = now + pause;
    queue.tick(now);
    CHECK(queue.active() == 1);
    CHECK(name_of(queue.take(now)) == "a");
  }
}

TEST_CASE("With nothing else to try a refused pod does not wait for the end of its pause") {
  Queue queue;
  queue.put(pod("a"), at(0s));
  queue.take(at(0s));
  queue.refuse("uid-a", bit("NodePorts"), at(0s));
  queue.wake(event::pod_removed, at(10ms));
  CHECK(name_of(queue.take(at(10ms))) == "a");
}

TEST_CASE("After an error the pause is kept in any case") {
  Queue queue;
  queue.put(pod("a"), at(0s));
  queue.take(at(0s));
  queue.fail("uid-a", at(0s));
  CHECK(name_of(queue.take(at(999ms))) == "none");
  CHECK(queue.next_due() == at(1s));
  CHECK(name_of(queue.take(at(1s))) == "a");
}

TEST_CASE("Nobody waits longer than five minutes") {
  Queue queue;
  queue.put(pod("a"), at(0s));
  queue.take(at(0s));
  queue.refuse("uid-a", bit("NodeAffinity"), at(1s));
  CHECK(queue.next_due() == at(301s));
  CHECK(name_of(queue.take(at(300s))) == "none");
  CHECK(name_of(queue.take(at(301s))) == "a");
}

TEST_CASE("A change of the status alone does not wake a refused pod, a change of its spec does") {
  Queue queue;
  queue.put(pod("a"), at(0s));
  queue.take(at(0s));
  queue.refuse("uid-a", bit("TaintToleration"), at(0s));
  Value told = pod("a")->object.with_path({"status", "conditions"}, Value::list({Value("told")}));
  queue.put(parse_pod(told), at(1s));
  CHECK(name_of(queue.take(at(1s))) == "none");
  queue.put(parse_pod(told.with_path({"spec", "tolerations"}, yaml("[{operator: Exists}]"))), at(2s));
  CHECK(name_of(queue.take(at(2s))) == "a");
}

TEST_CASE("A gated pod is not given out until its gates are gone") {
  Queue queue;
  Value gated = pod("a")->object.with_path({"spec", "schedulingGates"}, yaml("[{name: x}]"));
  queue.put(parse_pod(gated), at(0s));
  queue.wake(event::any, at(1s));
  CHECK(name_of(queue.take(at(301s))) == "none");
  CHECK_FALSE(queue.next_due().has_value());
  queue.put(pod("a"), at(302s));
  CHECK(name_of(queue.take(at(302s))) == "a");
}

TEST_CASE("What is removed while in hand does not come back") {
  Queue queue;
  queue.put(pod("a"), at(0s));
  queue.take(at(0s));
  queue.remove("uid-a");
  queue.fail("uid-a", at(0s));
  queue.refuse("uid-a", every_plugin, at(0s));
  CHECK(queue.size() == 0);
  CHECK(name_of(queue.take(at(400s))) == "none");
}
