// The control plane as a whole, with faults. Every failing case prints its seed.

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <set>

#include "sim/sim_cluster.h"

using namespace orch;
using namespace orch::test;

namespace {

Value image_patch(std::string_view image) {
  Value container = Value::object({{"name", "main"}, {"image", image}});
  Value spec = Value::object({{"containers", Value::list({container})}});
  return Value::object({{"spec", Value::object({{"template", Value::object({{"spec", spec}})}})}});
}

std::string_view reason_of(const Value& deployment, std::string_view type) {
  for (const Value& condition : deployment["status"]["conditions"].items()) {
    if (condition["type"].as_string() == type) return condition["reason"].as_string();
  }
  return {};
}

bool is_rolled_out(SimCluster& cluster, std::string_view name, int replicas) {
  Value deployment = cluster.get(deployments(std::string(name)));
  const Value& status = deployment["status"];
  return status["observedGeneration"].as_int() == deployment["metadata"]["generation"].as_int() &&
         status["updatedReplicas"].as_int() == replicas && status["replicas"].as_int() == replicas &&
         status["availableReplicas"].as_int() == replicas;
}

std::map<std::string, int> pods_by_node(SimCluster& cluster) {
  std::map<std::string, int> counts;
  for (const Value& pod : cluster.list(pods())) ++counts[std::string(pod["spec"]["nodeName"].as_string())];
  return counts;
}

}  // namespace

TEST_CASE("A Deployment of 300 pods comes up on five nodes, rolls over and goes away") {
  SimCluster cluster(1);
  cluster.start();
  for (int i = 0; i < 5; ++i) cluster.add_node("node-" + std::to_string(i));
  cluster.create(deployments(), sim_deployment("web", 300, "web:1"));
  REQUIRE(cluster.run_until([&] { return is_rolled_out(cluster, "web", 300); }, 120s));
  for (const auto& [node, count] : pods_by_node(cluster)) {
    CHECK(!node.empty());
    CHECK(count >= 55);  // nothing else decides, so they spread evenly
    CHECK(count <= 65);
  }

  size_t fewest = 300, most = 0;
  cluster.invariant = [&] {
    auto all = cluster.list(pods());
    fewest = std::min(fewest, ready_pods(all));
    auto stays = [](const Value& pod) { return !pod["metadata"].has("deletionTimestamp"); };
    most = std::max(most, static_cast<size_t>(std::ranges::count_if(all, stays)));
  };
  cluster.patch(deployments("web"), image_patch("web:2"));
  REQUIRE(cluster.run_until([&] { return is_rolled_out(cluster, "web", 300); }, 600s));
  CHECK(fewest >= 225);  // maxUnavailable 25 %
  CHECK(most <= 375);    // maxSurge 25 %; those being deleted do not count
  CHECK(ready_pods(cluster.list(pods()), "web:2") == 300);
  CHECK(reason_of(cluster.get(deployments("web")), "Progressing") == "NewReplicaSetAvailable");

  cluster.invariant = nullptr;
  cluster.remove(deployments("web"));
  client::Target sets{"apps", "v1", "replicasets", "default", "", ""};
  REQUIRE(cluster.run_until([&] { return cluster.list(pods()).empty() && cluster.list(sets).empty(); }, 120s));
}

TEST_CASE("Pods of a lost node are replaced on the others") {
  SimCluster cluster(2);
  cluster.start();
  for (int i = 0; i < 3; ++i) cluster.add_node("node-" + std::to_string(i));
  cluster.create(deployments(), sim_deployment("web", 30, "web:1"));
  REQUIRE(cluster.run_until([&] { return is_rolled_out(cluster, "web", 30); }, 60s));
  cluster.lose_node("node-1");
  // 40 s until it counts as lost, 300 s that pods tolerate it by default.
  auto moved = [&] {
    size_t elsewhere = 0;
    for (const Value& pod : cluster.list(pods())) {
      elsewhere += pod["spec"]["nodeName"].as_string() != "node-1" && !pod["metadata"].has("deletionTimestamp");
    }
    return elsewhere == 30;
  };
  REQUIRE(cluster.run_until(moved, 600s));
  client::Target node{"", "v1", "nodes", "", "node-1", ""};
  std::set<std::string> taints;
  Value lost = cluster.get(node);
  for (const Value& taint : lost["spec"]["taints"].items()) taints.emplace(taint["key"].as_string());
  CHECK(taints.contains("node.kubernetes.io/unreachable"));
}

TEST_CASE("Whatever fails, the cluster ends where it should") {
  uint64_t seed = GENERATE(range(100, 112));
  INFO("seed " << seed);
  SimFaults faults;
  faults.failed_writes = 0.05;
  faults.crash_every = 60;
  SimCluster cluster(seed, faults);
  cluster.start();
  for (int i = 0; i < 3; ++i) cluster.add_node("node-" + std::to_string(i));
  cluster.create(deployments(), sim_deployment("web", 20, "web:1"));
  cluster.run_for(3s);
  cluster.patch(deployments("web"), image_patch("web:2"));
  REQUIRE(cluster.run_until([&] { return is_rolled_out(cluster, "web", 20); }, 1800s));
  REQUIRE(cluster.run_until([&] { return cluster.list(pods()).size() == 20; }, 300s));
  CHECK(ready_pods(cluster.list(pods()), "web:2") == 20);
}

TEST_CASE("Conflicts and lost watches delay a rollout and spoil nothing") {
  uint64_t seed = GENERATE(range(200, 206));
  INFO("seed " << seed);
  SimFaults faults;
  faults.port = {0.2, 0.05};
  SimCluster cluster(seed, faults);
  cluster.start();
  for (int i = 0; i < 3; ++i) cluster.add_node("node-" + std::to_string(i));
  cluster.create(deployments(), sim_deployment("web", 20, "web:1"));
  cluster.run_for(3s);
  cluster.patch(deployments("web"), image_patch("web:2"));
  REQUIRE(cluster.run_until([&] { return is_rolled_out(cluster, "web", 20); }, 1800s));
  REQUIRE(cluster.run_until([&] { return cluster.list(pods()).size() == 20; }, 300s));
  CHECK(ready_pods(cluster.list(pods()), "web:2") == 20);
  CHECK(cluster.conflicts() > 0);
  CHECK(cluster.lost_watches() > 0);
}

TEST_CASE("An idle cluster writes nothing") {
  SimCluster cluster(3);
  cluster.start();
  cluster.add_node("node-0");
  cluster.create(deployments(), sim_deployment("web", 3, "web:1"));
  REQUIRE(cluster.run_until([&] { return is_rolled_out(cluster, "web", 3); }, 60s));
  cluster.run_for(60s);
  uint64_t before = cluster.commits();
  cluster.run_for(600s);  // leases are renewed all the while
  CHECK(cluster.commits() == before);
}
