#include "plan/sched/placer.h"

#include <catch2/catch_test_macros.hpp>
#include <set>

#include "plan/sched/fixtures.h"
#include "support/golden.h"

using namespace orch;
using namespace orch::plan::sched;
using namespace orch::test;

namespace {

std::string text(const Value& value, std::string_view fallback) {
  if (value.is_int()) return std::to_string(value.as_int());
  return std::string(value.as_string(fallback));
}

Value golden_node(const Value& line) {
  Value node = make_node(text(line["name"], ""), text(line["cpu"], "4"), text(line["memory"], "8Gi"), text(line["pods"], "110"));
  ObjectBuilder allocatable(node["status"]["allocatable"]);
  for (const Member& more : line["more"].members()) allocatable.set(more.key, more.value);
  node = node.with_path({"status", "allocatable"}, std::move(allocatable).build());
  node = node.with_path({"metadata", "labels"}, line["labels"]);
  return node.with("spec", Value::object({{"taints", line["taints"]}, {"unschedulable", line["unschedulable"]}}));
}

PodPtr golden_pod(const Value& line) {
  Value pod = make_pod(text(line["name"], "new"), text(line["cpu"], ""), text(line["memory"], ""), line["spec"]);
  if (line.has("more")) {
    Value container = pod["spec"]["containers"].at(0);
    container = container.with_path({"resources", "requests"}, line["more"]);
    pod = pod.with_path({"spec", "containers"}, Value::list({container}));
  }
  return parse_pod(line.has("node") ? on_node(pod, text(line["node"], "")) : pod);
}

const Plugin& plugin(std::string_view name) {
  for (const Plugin& each : all_plugins())
    if (each.name == name) return each;
  FAIL("no plugin " << name);
  std::abort();
}

int64_t score(std::string_view name, const Value& node, const Value& pod, const std::vector<Value>& placed = {}) {
  ClusterState cluster;
  cluster.put_node(node);
  for (const Value& other : placed) cluster.put_pod(parse_pod(on_node(other, "n")));
  PodPtr info = parse_pod(pod);
  const Cycle cycle{cluster, *info};
  return plugin(name).score(cycle, nullptr, *cluster.node("n"));
}

std::string chosen(const Decision& decision) {
  const auto* placement = std::get_if<Placement>(&decision);
  return placement ? placement->node->name : std::get<FitError>(decision).message;
}

}  // namespace

TEST_CASE("Pods go where kube-scheduler would put them, or it is said why not") {
  check_golden("plan/sched/golden/reasons.txt", [](const GoldenCase& item) {
    Value input = yaml(item.input);
    ClusterState cluster;
    for (const Value& node : input["nodes"].items()) cluster.put_node(golden_node(node));
    for (const Value& pod : input["placed"].items()) cluster.put_pod(golden_pod(pod));
    Placer placer;
    SeededRandom random(1);
    return chosen(placer.place(cluster, *golden_pod(input["pod"]), random));
  });
}

// The expected numbers are worked out by hand from kube-scheduler's formulas.
TEST_CASE("NodeResourcesFit scores by what stays free, the mean of cpu and memory") {
  CHECK(score("NodeResourcesFit", make_node("n", "4", "10000"), make_pod("p", "3", "5000")) == 37);  // 25, 50
  CHECK(score("NodeResourcesFit", make_node("n", "6", "10000"), make_pod("p", "3", "5000")) == 50);
  CHECK(score("NodeResourcesFit", make_node("n", "6", "10000"), make_pod("p", "3", "5000"),
              {make_pod("x", "3", "5000")}) == 0);
}

TEST_CASE("Containers that ask for nothing score as 100m and 200 MiB each") {
  // 10 - 1 of 10 cpu thousandths of 1000: 90; 1000 - 200 MiB: 80.
  CHECK(score("NodeResourcesFit", make_node("n", "1", "1000Mi"), make_pod("p")) == 85);
  CHECK(score("NodeResourcesFit", make_node("n", "1", "1000Mi"), make_pod("p"), {make_pod("x"), make_pod("y")}) == 55);
}

TEST_CASE("Balanced allocation falls by half the distance between the shares of cpu and memory") {
  CHECK(score("NodeResourcesBalancedAllocation", make_node("n", "4", "10000"), make_pod("p", "3", "5000")) == 87);
  CHECK(score("NodeResourcesBalancedAllocation", make_node("n", "6", "10000"), make_pod("p", "3", "5000")) == 100);
  // cpu more than full counts as full: shares 1 and 0.5.
  CHECK(score("NodeResourcesBalancedAllocation", make_node("n", "4", "10000"), make_pod("p", "5", "5000")) == 75);
  CHECK_FALSE(plugin("NodeResourcesBalancedAllocation").scores(*parse_pod(make_pod("p"))));
}

TEST_CASE("Weights are kube-scheduler's") {
  CHECK(plugin("TaintToleration").weight == 3);
  CHECK(plugin("NodeAffinity").weight == 2);
  CHECK(plugin("NodeResourcesFit").weight == 1);
  CHECK(plugin("NodeResourcesBalancedAllocation").weight == 1);
}

TEST_CASE("The more nodes, the smaller the share of them that is enough") {
  CHECK(Placer::enough_nodes(3) == 3);
  CHECK(Placer::enough_nodes(99) == 99);
  CHECK(Placer::enough_nodes(100) == 100);
  CHECK(Placer::enough_nodes(250) == 120);   // 48 %
  CHECK(Placer::enough_nodes(1000) == 420);  // 42 %
  CHECK(Placer::enough_nodes(5000) == 500);  // 10 %
  CHECK(Placer::enough_nodes(6000) == 300);  // 5 %, not 2 %
}

TEST_CASE("Searches take turns, so that every node of many gets pods") {
  ClusterState cluster;
  for (int i = 0; i < 1000; ++i) cluster.put_node(make_node("n" + std::to_string(i)));
  Placer placer;
  SeededRandom random(1);
  std::set<std::string> used;
  for (int i = 0; i < 1000; ++i) {
    Value pod = make_pod("p" + std::to_string(i), "100m", "128Mi");
    PodPtr info = parse_pod(pod);
    Decision decision = placer.place(cluster, *info, random);
    REQUIRE(std::holds_alternative<Placement>(decision));
    cluster.assume(info, *std::get<Placement>(decision).node);
    used.insert(std::get<Placement>(decision).node->name);
  }
  // An empty node is always better; only the last pods may find none among the 420 they look at.
  CHECK(used.size() >= 990);
}

TEST_CASE("Equal nodes are chosen by the Random, and the same seed chooses the same") {
  auto run = [](uint64_t seed) {
    ClusterState cluster;
    for (int i = 0; i < 10; ++i) cluster.put_node(make_node("n" + std::to_string(i)));
    Placer placer;
    SeededRandom random(seed);
    std::set<std::string> nodes;
    std::string all;
    for (int i = 0; i < 50; ++i) {
      std::string node = chosen(placer.place(cluster, *parse_pod(make_pod("p", "1")), random));
      nodes.insert(node);
      all += node;
    }
    CHECK(nodes.size() > 5);
    return all;
  };
  CHECK(run(7) == run(7));
}
