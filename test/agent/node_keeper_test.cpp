#include "agent/node_keeper.h"

#include <catch2/catch_test_macros.hpp>

#include "agent/machine_facts.h"
#include "loop/virtual_loop.h"
#include "support/fake_api.h"

using namespace orch;
using namespace orch::test;

namespace {

struct World {
  loop::VirtualLoop loop;
  FakeCluster cluster;
  FakeApi api{loop, cluster};
  plan::MachineFacts machine;
  std::string not_ready;
  std::unique_ptr<agent::NodeKeeper> keeper;

  World() {
    machine.cpus = 2;
    machine.memory_bytes = machine.memory_available_bytes = int64_t{1} << 30;
    machine.disk_bytes = machine.disk_available_bytes = 1'000'000'000;
    machine.boot_id = "boot";
    start();
  }
  void start() {
    plan::NodeFacts facts;
    facts.name = facts.hostname = "n";
    facts.ips = {"192.0.2.1"};
    agent::NodeKeeper::Parts parts{loop, api, Logger::discard(), [this] { return machine; },
                                   [this](plan::NodeFacts& made) { made.network_not_ready = not_ready; }};
    keeper = std::make_unique<agent::NodeKeeper>(std::move(parts), std::move(facts));
    keeper->start();
    loop.run_for(1s);
  }
  Value node() { return cluster.get(plan::types::nodes, "", "n"); }
  std::string ready() {
    for (const Value& condition : node()["status"]["conditions"].items())
      if (condition["type"].as_string() == "Ready") return std::string(condition["status"].as_string());
    return "";
  }
};

}  // namespace

TEST_CASE("a node registers itself, is ready, and renews its lease") {
  World world;
  CHECK(world.ready() == "True");
  Value lease = world.cluster.get(plan::types::leases, "kube-node-lease", "n");
  CHECK(lease["spec"]["holderIdentity"].as_string() == "n");
  CHECK(lease["metadata"]["ownerReferences"].at(0)["kind"].as_string() == "Node");
  world.loop.run_for(60s);
  CHECK(world.cluster.get(plan::types::leases, "kube-node-lease", "n")["spec"]["renewTime"] != lease["spec"]["renewTime"]);
}

TEST_CASE("an idle node writes no status") {
  World world;
  const std::string version(plan::resource_version_of(world.node()));
  world.loop.run_for(10min);
  CHECK(plan::resource_version_of(world.node()) == version);
}

TEST_CASE("a network that breaks and comes back is seen at once") {
  World world;
  world.not_ready = "the bridge is gone";
  world.keeper->look_soon();
  world.loop.run_for(100ms);
  CHECK(world.ready() == "False");
  world.not_ready.clear();
  world.keeper->look_soon();
  world.loop.run_for(100ms);
  CHECK(world.ready() == "True");
}

TEST_CASE("a Node that was deleted is registered again, with a Lease of its own") {
  World world;
  const std::string uid(plan::uid_of(world.node()));
  world.cluster.finish_deletion(plan::types::nodes, world.node());
  world.cluster.finish_deletion(plan::types::leases, world.cluster.get(plan::types::leases, "kube-node-lease", "n"));
  world.loop.run_for(30s);
  CHECK(world.ready() == "True");
  CHECK(plan::uid_of(world.node()) != uid);
  Value lease = world.cluster.get(plan::types::leases, "kube-node-lease", "n");
  CHECK(lease["metadata"]["ownerReferences"].at(0)["uid"].as_string() == plan::uid_of(world.node()));
}

TEST_CASE("an agent that starts again takes its Node over and changes nothing") {
  World world;
  const std::string version(plan::resource_version_of(world.node()));
  world.keeper.reset();
  world.start();
  CHECK(plan::resource_version_of(world.node()) == version);
}

TEST_CASE("the machine is read from the kernel's texts") {
  CHECK(agent::parse_meminfo("MemTotal:  2048 kB\nMemAvailable: 1 kB\n", "MemTotal") == 2048 * 1024);
  CHECK(agent::parse_meminfo("", "MemTotal") == 0);
  CHECK(agent::parse_os_release("NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n") == "Debian GNU/Linux 12");
  CHECK(agent::parse_loadavg_processes("0.20 0.18 0.12 1/80 11206\n") == 80);
  CHECK(agent::go_architecture("aarch64") == "arm64");
  plan::MachineFacts facts = agent::read_machine_facts("/");
  CHECK(facts.cpus > 0);
  CHECK(facts.memory_bytes > 0);
  CHECK(facts.disk_bytes > 0);
  CHECK_FALSE(facts.boot_id.empty());
}
