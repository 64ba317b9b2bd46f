#include "scheduler/scheduler.h"

#include <catch2/catch_test_macros.hpp>
#include <map>

#include "loop/virtual_loop.h"
#include "plan/core/pod.h"
#include "plan/sched/fixtures.h"
#include "support/fake_api.h"

using namespace orch;
using namespace orch::test;

namespace {

struct Cluster {
  loop::VirtualLoop loop;
  FakeCluster objects;
  FakeApi api{loop, objects};
  SeededRandom random{1};
  std::unique_ptr<scheduler::Scheduler> scheduler;

  Cluster() { objects.now = loop.wall(); }
  void start() { scheduler = scheduler::start(loop, api, random, Logger::discard()); }
  void add_node(const Value& node) { objects.add(plan::types::nodes, node); }
  void add_pod(const Value& pod) { objects.add(plan::types::pods, pod); }
  Value pod(const std::string& name) const { return objects.get(plan::types::pods, "default", name); }
  std::string node_of(const std::string& name) const { return std::string(pod(name)["spec"]["nodeName"].as_string()); }
  Value condition(const std::string& name) const { return plan::pod_condition(pod(name), "PodScheduled"); }
  std::vector<Value> events(std::string_view reason) const {
    std::vector<Value> found;
    for (const Value& event : objects.list(plan::types::events))
      if (event["reason"].as_string() == reason) found.push_back(event);
    return found;
  }
};

}  // namespace

TEST_CASE("A pod gets a node, and an Event says which") {
  Cluster cluster;
  cluster.add_node(make_node("n1"));
  cluster.add_pod(make_pod("web", "100m"));
  cluster.start();
  cluster.loop.run_until_idle();
  CHECK(cluster.node_of("web") == "n1");
  auto events = cluster.events("Scheduled");
  REQUIRE(events.size() == 1);
  CHECK(events[0]["message"].as_string() == "Successfully assigned default/web to n1");
  CHECK(events[0]["type"].as_string() == "Normal");
  CHECK(events[0]["source"]["component"].as_string() == "default-scheduler");
  CHECK(cluster.scheduler->is_idle());
}

TEST_CASE("A pod that fits nowhere says why, and gets its node as soon as there is one") {
  Cluster cluster;
  cluster.add_node(make_node("small", "1"));
  cluster.add_pod(make_pod("web", "2"));
  cluster.start();
  cluster.loop.run_until_idle();
  const std::string why =
      "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: "
      "1 No preemption victims found for incoming pod.";
  CHECK(cluster.node_of("web") == "");
  CHECK(cluster.condition("web")["status"].as_string() == "False");
  CHECK(cluster.condition("web")["reason"].as_string() == "Unschedulable");
  CHECK(cluster.condition("web")["message"].as_string() == why);
  auto events = cluster.events("FailedScheduling");
  REQUIRE(events.size() == 1);
  CHECK(events[0]["message"].as_string() == why);
  CHECK(events[0]["type"].as_string() == "Warning");

  const size_t writes = cluster.objects.writes;
  cluster.loop.run_for(4min);
  CHECK(cluster.objects.writes == writes);  // nothing is tried while nothing changes

  cluster.add_node(make_node("large", "4"));
  cluster.loop.run_until_idle();
  CHECK(cluster.node_of("web") == "large");
}

TEST_CASE("A pod waits for another to go and takes its place") {
  Cluster cluster;
  cluster.add_node(make_node("n1", "1"));
  cluster.add_pod(make_pod("first", "1"));
  cluster.start();
  cluster.loop.run_until_idle();
  cluster.add_pod(make_pod("second", "1"));
  cluster.loop.run_until_idle();
  REQUIRE(cluster.node_of("second") == "");
  cluster.objects.request_deletion(plan::types::pods, cluster.pod("first"));
  cluster.loop.run_until_idle();
  CHECK(cluster.node_of("second") == "n1");
}

TEST_CASE("A failed binding gives the room back and is tried again after a second") {
  Cluster cluster;
  cluster.add_node(make_node("n1", "1"));
  bool away = true;
  cluster.objects.fault = [&](std::string_view verb, const plan::Ref& ref) -> std::optional<Error> {
    if (away && verb == "create" && ref.subresource == "binding") return Error::make(Code::unavailable, "the API is away");
    return std::nullopt;
  };
  cluster.add_pod(make_pod("web", "1"));
  cluster.start();
  cluster.loop.run_until_idle();
  CHECK(cluster.node_of("web") == "");
  CHECK(cluster.condition("web")["reason"].as_string() == "SchedulerError");
  away = false;
  cluster.loop.run_for(900ms);
  CHECK(cluster.node_of("web") == "");
  cluster.loop.run_for(200ms);
  CHECK(cluster.node_of("web") == "n1");
}

TEST_CASE("Scheduling gates hold a pod until they are gone") {
  Cluster cluster;
  cluster.add_node(make_node("n1"));
  cluster.add_pod(make_pod("web", "1", "", yaml("schedulingGates: [{name: example.com/quota}]")));
  cluster.start();
  cluster.loop.run_until_idle();
  CHECK(cluster.node_of("web") == "");
  CHECK(cluster.condition("web")["reason"].as_string() == "SchedulingGated");
  CHECK(cluster.events("FailedScheduling").empty());
  cluster.objects.change(plan::types::pods, cluster.pod("web"),
                         [](const Value& pod) { return pod.with_path({"spec", "schedulingGates"}, std::nullopt); });
  cluster.loop.run_until_idle();
  CHECK(cluster.node_of("web") == "n1");
}

TEST_CASE("Pods of other schedulers, finished ones and those being deleted are left alone") {
  Cluster cluster;
  cluster.add_node(make_node("n1"));
  cluster.add_pod(make_pod("theirs", "1", "", yaml("schedulerName: volcano")));
  cluster.start();
  cluster.loop.run_until_idle();
  CHECK(cluster.node_of("theirs") == "");
  CHECK(cluster.condition("theirs").is_null());
}

TEST_CASE("No node is ever overcommitted, whatever fails, and in the end every pod that fits has a node") {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    Cluster cluster;
    bool faulty = true;
    cluster.objects.fault = [&](std::string_view, const plan::Ref& ref) -> std::optional<Error> {
      if (!faulty || ref.resource == "nodes" || (ref.resource == "pods" && ref.subresource.empty())) return std::nullopt;
      return random.below(4) == 0 ? std::optional(Error::make(Code::unavailable, "the API is away")) : std::nullopt;
    };
    for (int i = 0; i < 5; ++i) cluster.add_node(make_node("n" + std::to_string(i), "4", "8Gi", "10"));
    cluster.start();
    int pods = 0;
    for (int step = 0; step < 60; ++step) {
      // At most 40 pods of at most 500m at any time: they always fit in the end.
      if (random.below(3) > 0 && cluster.objects.list(plan::types::pods).size() < 30)
        cluster.add_pod(make_pod("p" + std::to_string(pods++), std::to_string(100 * (1 + random.below(5))) + "m"));
      auto all = cluster.objects.list(plan::types::pods);
      if (random.below(5) == 0 && !all.empty())
        cluster.objects.request_deletion(plan::types::pods, all[random.below(all.size())]);
      if (random.below(10) == 0) cluster.api.break_watches();
      cluster.loop.run_for(std::chrono::milliseconds(random.below(400)));
      std::map<std::string, int64_t> used;
      for (const Value& pod : cluster.objects.list(plan::types::pods)) {
        auto cpu = pod["spec"]["containers"].at(0)["resources"]["requests"]["cpu"].as_string();
        used[std::string(pod["spec"]["nodeName"].as_string())] += std::stoll(std::string(cpu));
      }
      for (const auto& [node, cpu] : used)
        if (!node.empty()) CHECK(cpu <= 4000);
    }
    faulty = false;
    cluster.loop.run_for(6min);
    for (const Value& pod : cluster.objects.list(plan::types::pods))
      CHECK(!pod["spec"]["nodeName"].as_string().empty());
  }
}
