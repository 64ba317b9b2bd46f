// The node agent with a real API before it and a machine made of records below it.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include "base/text.h"
#include "data/json.h"
#include "plan/core/object.h"
#include "plan/core/pod.h"
#include "plan/core/status.h"
#include "sim/sim_cluster.h"

using namespace orch;
using namespace orch::test;

namespace {

Value pod(std::string_view name, Value spec) {
  return Value::object({{"apiVersion", "v1"},
                        {"kind", "Pod"},
                        {"metadata", Value::object({{"name", name}, {"namespace", "default"}})},
                        {"spec", spec.with("nodeName", "node-0")}});
}

Value one_container(std::string_view image = "web:1") {
  return Value::object({{"containers", Value::list({Value::object({{"name", "main"}, {"image", image}})})}});
}

struct OneNode : SimCluster {
  explicit OneNode(uint64_t seed = 1) : SimCluster(seed) {
    start();
    add_node("node-0");
  }
  FakeMachine& node() { return machine("node-0"); }
  Value pod_now(std::string_view name) { return get(pods(std::string(name))); }
  const Value& main_of(const Value& pod) { return pod["status"]["containerStatuses"].at(0); }
  bool is_ready(std::string_view name) { return plan::is_pod_ready(pod_now(name)); }
  std::vector<std::string> events() {
    std::vector<std::string> lines;
    for (const Value& event : list({"", "v1", "events", "default", "", ""}))
      lines.push_back(std::string(event["reason"].as_string()) + ": " + std::string(event["message"].as_string()));
    return lines;
  }
  bool has_event(std::string_view text) {
    for (const std::string& line : events())
      if (line.find(text) != std::string::npos) return true;
    return false;
  }
};

}  // namespace

TEST_CASE("A pod is started, says where it is, and leaves nothing behind when it is deleted") {
  OneNode world;
  world.create(pods(), pod("web", one_container()));
  REQUIRE(world.run_until([&] { return world.is_ready("web"); }, 10s));
  Value now = world.pod_now("web");
  CHECK(now["status"]["phase"] == Value("Running"));
  CHECK(now["status"]["podIP"] == Value("10.42.0.2"));
  CHECK(now["status"]["podIPs"].at(0)["ip"] == Value("10.42.0.2"));
  CHECK(now["status"]["hostIP"] == Value("192.0.2.1"));
  CHECK(now["status"]["startTime"].is_string());
  CHECK(now["status"]["qosClass"] == Value("BestEffort"));
  CHECK(world.main_of(now)["containerID"].as_string().starts_with("orch://"));
  CHECK(world.main_of(now)["containerID"].as_string().size() == 7 + 64);
  for (std::string_view type : {"PodScheduled", "Initialized", "ContainersReady", "Ready", "PodReadyToStartContainers"})
    CHECK(plan::pod_condition(now, type)["status"].as_string() == "True");
  world.run_for(5s);
  CHECK(world.has_event("Started: Started container main"));
  world.remove(pods("web"));
  REQUIRE(world.run_until([&] { return world.pod_now("web").is_null(); }, 40s));
  world.run_for(1s);
  CHECK(world.node().is_clean());
}

TEST_CASE("A pod that starts is written twice at most") {
  OneNode world;
  world.run_for(2s);
  world.create(pods(), pod("web", one_container()));
  const int64_t before = parse_uint(plan::resource_version_of(world.pod_now("web"))).value_or(0);
  REQUIRE(world.run_until([&] { return world.is_ready("web"); }, 10s));
  world.run_for(10s);
  // Events are soft state and are not counted by the store's revision of the pod; its generation of writes is.
  int writes = 0;
  for (const Value& entry : world.pod_now("web")["metadata"]["managedFields"].items()) writes += entry["subresource"] == Value("status");
  CHECK(writes <= 1);
  CHECK(before > 0);
}

TEST_CASE("The program dies and comes back: the same containers run, nothing is counted") {
  OneNode world;
  world.create(pods(), pod("web", one_container()));
  REQUIRE(world.run_until([&] { return world.is_ready("web"); }, 10s));
  Value before = world.pod_now("web");
  uint64_t started = world.node().started;
  world.crash();
  world.run_for(30s);
  Value after = world.pod_now("web");
  CHECK(world.main_of(after)["containerID"] == world.main_of(before)["containerID"]);
  CHECK(world.main_of(after)["restartCount"].as_int() == 0);
  CHECK(format_json(after["status"]) == format_json(before["status"]));
  CHECK(world.node().started == started);
  CHECK(world.node().killed == 0);
}

TEST_CASE("The machine reboots: pods come back and count one restart") {
  OneNode world;
  world.create(pods(), pod("web", one_container()));
  REQUIRE(world.run_until([&] { return world.is_ready("web"); }, 10s));
  world.run_for(2s);
  world.node().reboot();
  world.crash();
  REQUIRE(world.run_until([&] { return world.node().live() == 1; }, 10s));
  REQUIRE(world.run_until([&] { return world.is_ready("web") && world.main_of(world.pod_now("web"))["restartCount"].as_int() == 1; }, 10s));
  CHECK(world.main_of(world.pod_now("web"))["lastState"]["terminated"]["reason"] == Value("ContainerStatusUnknown"));
}

TEST_CASE("A container that dies is restarted and counted; a shim that dies takes its pod with it") {
  OneNode world;
  world.create(pods(), pod("web", one_container()));
  REQUIRE(world.run_until([&] { return world.is_ready("web"); }, 10s));
  world.node().exit(world.loop(), "web", "main", 137);
  REQUIRE(world.run_until([&] { return world.main_of(world.pod_now("web"))["restartCount"].as_int() == 1 && world.is_ready("web"); }, 10s));
  CHECK(world.main_of(world.pod_now("web"))["lastState"]["terminated"]["exitCode"].as_int() == 137);
  world.node().kill_shim("web");
  REQUIRE(world.run_until([&] { return world.main_of(world.pod_now("web"))["restartCount"].as_int() == 2 && world.is_ready("web"); }, 10s));
  CHECK(world.node().live() == 1);
  CHECK(world.has_event("SandboxChanged"));
}

TEST_CASE("A job's pod succeeds once, and its sandbox goes") {
  OneNode world;
  world.create(pods(), pod("job", one_container().with("restartPolicy", "Never")));
  REQUIRE(world.run_until([&] { return world.node().live() == 1; }, 10s));
  world.run_for(1s);
  world.node().exit(world.loop(), "job", "main", 0);
  REQUIRE(world.run_until([&] { return world.pod_now("job")["status"]["phase"] == Value("Succeeded"); }, 10s));
  world.run_for(2s);
  CHECK(world.node().sandboxes.empty());
  Value done = world.pod_now("job");
  CHECK(world.main_of(done)["state"]["terminated"]["reason"] == Value("Completed"));
  world.crash();
  world.run_for(20s);
  CHECK(world.pod_now("job") == done);
  CHECK(world.node().started == 1);
}

TEST_CASE("Pods left over from another life are removed at the start") {
  OneNode world;
  world.create(pods(), pod("web", one_container()));
  REQUIRE(world.run_until([&] { return world.is_ready("web"); }, 10s));
  runtime::SandboxState stray;
  stray.pod_uid = "stray";
  world.node().sandboxes["stray"] = stray;
  world.node().directories.insert("stray");
  world.node().addresses["stray"] = "10.42.0.99";
  world.crash();
  world.run_for(5s);
  CHECK(world.node().sandboxes.size() == 1);
  CHECK(!world.node().directories.contains("stray"));
  CHECK(!world.node().addresses.contains("stray"));
}

TEST_CASE("A missing ConfigMap holds a pod up, and lets it go as soon as it is there") {
  OneNode world;
  Value volume = Value::object({{"name", "config"}, {"configMap", Value::object({{"name", "settings"}})}});
  world.create(pods(), pod("web", one_container().with("volumes", Value::list({volume}))));
  world.run_for(5s);
  CHECK(world.pod_now("web")["status"]["phase"] == Value("Pending"));
  CHECK(world.has_event("FailedMount: MountVolume.SetUp failed for volume \"settings\" : configmap \"settings\" not found"));
  world.create({"", "v1", "configmaps", "default", "", ""},
               Value::object({{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", Value::object({{"name", "settings"}})}}));
  REQUIRE(world.run_until([&] { return world.is_ready("web"); }, 3s));
}

TEST_CASE("A pod that asks for more than the node has fails with the reason") {
  OneNode world;
  Value requests = Value::object({{"requests", Value::object({{"cpu", "65"}})}});
  Value container = Value::object({{"name", "main"}, {"image", "web:1"}, {"resources", requests}});
  world.create(pods(), pod("big", Value::object({{"containers", Value::list({container})}})));
  REQUIRE(world.run_until([&] { return world.pod_now("big")["status"]["phase"] == Value("Failed"); }, 10s));
  CHECK(world.pod_now("big")["status"]["reason"] == Value("OutOfcpu"));
  CHECK(world.pod_now("big")["status"]["message"] ==
        Value("Pod was rejected: Node didn't have enough resource: cpu, requested: 65000, used: 0, capacity: 64000"));
  CHECK(world.node().live() == 0);
}

TEST_CASE("A missing image is said where describe shows it, and pulled when it comes") {
  OneNode world;
  world.create(pods(), pod("web", one_container("missing:1")));
  world.run_for(5s);
  CHECK(world.main_of(world.pod_now("web"))["state"]["waiting"]["reason"] == Value("ImagePullBackOff"));
  CHECK(world.has_event("Failed: Failed to pull image \"missing:1\": missing:1 not found"));
  world.node().images.insert("missing:1");
  REQUIRE(world.run_until([&] { return world.is_ready("web"); }, 15s));
}

TEST_CASE("Random ends of containers, shims, programs and machines: desired equals observed at the end") {
  uint64_t seed = GENERATE(range(1, 9));
  INFO("seed " << seed);
  OneNode world(seed);
  SeededRandom random(seed);
  world.create(deployments(), sim_deployment("web", 8, "web:1"));
  for (int i = 0; i < 30; ++i) {
    auto all = world.list(pods());
    if (all.empty()) {
      world.run_for(1s);
      continue;
    }
    std::string name(plan::name_of(all[random.below(all.size())]));
    switch (random.below(7)) {
      case 0: world.node().exit(world.loop(), name, "main", 1); break;
      case 1: world.node().kill_shim(name); break;
      case 2: world.remove(pods(name)); break;
      case 3: world.crash(); break;
      case 4:
        world.patch(deployments("web"), Value::object({{"spec", Value::object({{"replicas", static_cast<int64_t>(random.below(12))}})}}));
        break;
      case 5:
        if (random.below(3) == 0) {
          world.node().reboot();
          world.crash();
        }
        break;
      case 6: world.run_for(std::chrono::seconds(random.below(20))); break;
    }
    world.run_for(250ms);
  }
  world.patch(deployments("web"), Value::object({{"spec", Value::object({{"replicas", 5}})}}));
  REQUIRE(world.run_until([&] { return ready_pods(world.list(pods())) == 5 && world.list(pods()).size() == 5; }, 900s));
  world.run_for(5s);
  CHECK(world.node().live() == 5);
  CHECK(world.node().sandboxes.size() == 5);
  CHECK(world.node().addresses.size() == 5);
  world.remove(deployments("web"));
  REQUIRE(world.run_until([&] { return world.list(pods()).empty(); }, 120s));
  world.run_for(5s);
  CHECK(world.node().is_clean());
}

TEST_CASE("110 pods on one node are running after four seconds of its time") {
  OneNode world;
  world.node().start_time = 30ms;
  Mono before = world.loop().now();
  world.create(deployments(), sim_deployment("web", 110, "web:1"));
  REQUIRE(world.run_until([&] { return ready_pods(world.list(pods())) == 110; }, 20s));
  CHECK(world.loop().now() - before <= 4s);
}
