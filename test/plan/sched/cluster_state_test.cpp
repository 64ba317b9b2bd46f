#include "plan/sched/cluster_state.h"

#include <catch2/catch_test_macros.hpp>

#include "plan/sched/fixtures.h"

using namespace orch;
using namespace orch::plan::sched;
using namespace orch::test;

TEST_CASE("A change of a node says what could help waiting pods") {
  ClusterState cluster;
  Value node = make_node("a");
  CHECK(cluster.put_node(node) == event::node_added);
  CHECK(cluster.put_node(node) == 0);
  // A heartbeat.
  node = node.with_path({"status", "conditions"}, yaml("[{type: Ready, lastHeartbeatTime: later}]"));
  CHECK(cluster.put_node(node) == 0);
  node = node.with_path({"status", "allocatable", "cpu"}, Value("8"));
  CHECK(cluster.put_node(node) == event::node_allocatable);
  node = node.with_path({"metadata", "labels", "disk"}, Value("ssd"));
  CHECK(cluster.put_node(node) == event::node_labels);
  node = node.with_path({"spec", "unschedulable"}, Value(true));
  CHECK(cluster.put_node(node) == event::node_taints);
  node = node.with_path({"spec", "taints"}, yaml("[{key: a, effect: NoSchedule}]"));
  CHECK(cluster.put_node(node) == event::node_taints);
  cluster.remove_node("a");
  CHECK(cluster.node("a") == nullptr);
  CHECK(cluster.put_node(node) == event::node_added);
}

TEST_CASE("Pods of a node that is not known yet, or no longer, are counted once it is there") {
  ClusterState cluster;
  cluster.put_pod(parse_pod(on_node(make_pod("p", "1"), "a")));
  CHECK(cluster.nodes().empty());
  cluster.put_node(make_node("a"));
  CHECK(cluster.node("a")->requested.cpu_milli == 1000);
  cluster.remove_node("a");
  CHECK(cluster.nodes().empty());
  cluster.put_node(make_node("a"));
  CHECK(cluster.node("a")->requested.cpu_milli == 1000);
}

TEST_CASE("A pod counts once: assumed, then seen, then finished") {
  ClusterState cluster;
  cluster.put_node(make_node("a"));
  cluster.put_node(make_node("b"));
  Value pod = make_pod("p", "1");
  cluster.assume(parse_pod(pod), *cluster.node("a"));
  CHECK(cluster.is_assumed("uid-p"));
  CHECK(cluster.node("a")->requested.cpu_milli == 1000);
  SECTION("where it was assumed") {
    CHECK(cluster.put_pod(parse_pod(on_node(pod, "a"))) == 0);
    CHECK_FALSE(cluster.is_assumed("uid-p"));
    cluster.forget("uid-p");  // too late: it is there
    CHECK(cluster.node("a")->requested.cpu_milli == 1000);
    CHECK(cluster.put_pod(parse_pod(on_node(pod, "a").with("status", yaml("phase: Succeeded")))) == event::pod_removed);
  }
  SECTION("elsewhere") {
    CHECK(cluster.put_pod(parse_pod(on_node(pod, "b"))) == event::pod_added);
    CHECK(cluster.node("b")->requested.cpu_milli == 1000);
    cluster.remove_pod("uid-p");
  }
  SECTION("not at all") { cluster.forget("uid-p"); }
  CHECK(cluster.node("a")->requested.cpu_milli == 0);
  CHECK(cluster.node("b")->requested.cpu_milli == 0);
  CHECK(cluster.placed_pods() == 0);
}

TEST_CASE("Zones take turns in the list of nodes") {
  ClusterState cluster;
  for (const char* name : {"a1", "a2", "a3", "b1", "b2", "c1"}) {
    Value zone(std::string(1, name[0]));
    cluster.put_node(make_node(name).with_path({"metadata", "labels", "topology.kubernetes.io/zone"}, zone));
  }
  std::string order;
  for (const NodeInfo* node : cluster.nodes()) order += node->name + " ";
  CHECK(order == "a1 b1 c1 a2 b2 a3 ");
}
