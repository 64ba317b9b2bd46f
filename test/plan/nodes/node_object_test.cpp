#include "plan/nodes/node_object.h"

#include <catch2/catch_test_macros.hpp>

using namespace orch;
using namespace orch::plan;

namespace {

constexpr Instant now{1'767'225'600'000'000'000};

NodeFacts facts() {
  NodeFacts made;
  made.name = "pi-1";
  made.hostname = "pi-1.example.org";
  made.ips = {"192.0.2.7", "2001:db8::7"};
  made.orch_version = "0.1.0";
  made.kubernetes_version = "v1.33.0";
  made.machine.cpus = 4;
  made.machine.memory_bytes = int64_t{4} << 30;
  made.machine.memory_available_bytes = int64_t{2} << 30;
  made.machine.disk_bytes = 100'000'000'000;
  made.machine.disk_available_bytes = 50'000'000'000;
  made.machine.inodes = 1000;
  made.machine.inodes_free = 900;
  made.machine.processes_limit = 32768;
  made.machine.processes = 200;
  made.machine.huge_pages = {{2 << 20, 3}, {1 << 30, 0}};
  made.machine.architecture = "arm64";
  made.machine.boot_id = "boot-1";
  return made;
}

std::string status_of(const Value& status, std::string_view type) {
  for (const Value& condition : status["conditions"].items())
    if (condition["type"].as_string() == type) return std::string(condition["status"].as_string());
  return "none";
}

}  // namespace

TEST_CASE("a new Node has the labels, resources and addresses that kubelet writes") {
  NodeFacts given = facts();
  given.labels["disk"] = "ssd";
  given.taints = {parse_node_taint("role=db:NoSchedule").value()};
  Value node = make_node(given, now);
  const Value& labels = node["metadata"]["labels"];
  CHECK(labels["kubernetes.io/hostname"].as_string() == "pi-1.example.org");
  CHECK(labels["kubernetes.io/arch"].as_string() == "arm64");
  CHECK(labels["beta.kubernetes.io/os"].as_string() == "linux");
  CHECK(labels["node.kubernetes.io/instance-type"].as_string() == "orch");
  CHECK(labels["disk"].as_string() == "ssd");
  CHECK(node["spec"]["taints"].at(0) == Value::object({{"key", "role"}, {"value", "db"}, {"effect", "NoSchedule"}}));
  const Value& status = node["status"];
  CHECK(status["capacity"]["cpu"].as_string() == "4");
  CHECK(status["capacity"]["memory"].as_string() == "4194304Ki");
  CHECK(status["capacity"]["pods"].as_string() == "110");
  CHECK(status["capacity"]["hugepages-2Mi"].as_string() == "6Mi");
  CHECK(status["capacity"]["hugepages-1Gi"].as_string() == "0");
  CHECK(status["allocatable"]["ephemeral-storage"].as_string() == "95000000000");
  CHECK(status["addresses"].size() == 3);
  CHECK(status["nodeInfo"]["kubeletVersion"].as_string() == "v1.33.0+orch0.1.0");
  CHECK(status["nodeInfo"]["containerRuntimeVersion"].as_string() == "orch://0.1.0");
  CHECK(status_of(status, "Ready") == "True");
  CHECK(status_of(status, "MemoryPressure") == "False");
  CHECK(node_metadata_patch(given, node).is_null());
}

TEST_CASE("a status in which nothing has changed is the same, whatever the time") {
  Value node = make_node(facts(), now);
  CHECK(make_node_status(facts(), node, now + 24h) == node["status"]);
}

TEST_CASE("a condition that changes has a new time, the others keep theirs, and those of others stay") {
  Value node = make_node(facts(), now);
  Value foreign = Value::object({{"type", "KernelDeadlock"}, {"status", "False"}});
  node = node.with_path({"status", "conditions"}, node["status"]["conditions"].appended(foreign));
  NodeFacts given = facts();
  given.machine.disk_available_bytes = 1'000'000'000;
  Value status = make_node_status(given, node, now + 1h);
  CHECK(status_of(status, "DiskPressure") == "True");
  CHECK(status_of(status, "KernelDeadlock") == "False");
  for (const Value& condition : status["conditions"].items()) {
    if (!condition.has("lastTransitionTime")) continue;
    CHECK(condition["lastTransitionTime"].as_string() == format_time(condition["type"].as_string() == "DiskPressure" ? now + 1h : now));
  }
  auto notes = node_status_notes("pi-1", node["status"], status);
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].message == "Node pi-1 status is now: NodeHasDiskPressure");
}

TEST_CASE("without a pod network the node is not ready and says why; missing controllers are told") {
  NodeFacts given = facts();
  given.network_not_ready = "no bridge";
  given.missing_controllers = {"cpu", "memory"};
  Value status = make_node_status(given, Value::null(), now);
  CHECK(status_of(status, "Ready") == "False");
  CHECK(status_of(status, "CgroupControllersMissing") == "True");
  for (const Value& condition : status["conditions"].items()) {
    if (condition["type"].as_string() == "Ready")
      CHECK(condition["message"].as_string().ends_with("reason:NetworkPluginNotReady message:no bridge"));
    if (condition["type"].as_string() == "CgroupControllersMissing")
      CHECK(condition["message"].as_string() == "the kernel offers no cgroup v2 controller for cpu, memory: limits of these are not enforced");
  }
}

TEST_CASE("a new boot id is told as Rebooted") {
  NodeFacts given = facts();
  Value node = make_node(given, now);
  given.machine.boot_id = "boot-2";
  auto notes = node_status_notes("pi-1", node["status"], make_node_status(given, node, now));
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].reason == "Rebooted");
  CHECK(notes[0].message == "Node pi-1 has been rebooted, boot id: boot-2");
}

TEST_CASE("only the fifty largest images are told, largest first") {
  NodeFacts given = facts();
  for (int64_t i = 0; i < 60; ++i) given.images.push_back({{"image-" + std::to_string(i)}, i});
  Value status = make_node_status(given, Value::null(), now);
  CHECK(status["images"].size() == 50);
  CHECK(status["images"].at(0)["sizeBytes"].as_int() == 59);
}

TEST_CASE("taints and labels of flags") {
  CHECK(parse_node_taint("gone:NoExecute").value() == Value::object({{"key", "gone"}, {"effect", "NoExecute"}}));
  for (std::string_view wrong : {"", "a", "a=b", ":NoSchedule", "a:Never"}) CHECK_FALSE(parse_node_taint(wrong).ok());
  CHECK(parse_node_label("a/b=c").value() == std::pair<std::string, std::string>("a/b", "c"));
  for (std::string_view wrong : {"", "a", "=b"}) CHECK_FALSE(parse_node_label(wrong).ok());
}
