#include "plan/nodes/node_object.h"

#include <algorithm>

#include "base/text.h"
#include "data/quantity.h"

namespace orch::plan {

namespace {

constexpr std::string_view instance_type = "orch";
constexpr int64_t most_pods = 110;
constexpr size_t most_images = 50;                      // kubelet's nodeStatusMaxImages
constexpr int64_t least_memory_bytes = 100 << 20;       // kubelet's memory.available<100Mi
constexpr int64_t least_disk_percent = 5;               // k3s' nodefs.available<5%
constexpr int64_t least_processes = 100;

Value bytes_value(int64_t bytes) { return Value(Quantity::of(bytes, Quantity::Format::binary_si).format()); }
// As kubelet has memory: kibibytes, whatever is left over.
Value kibibytes_value(int64_t bytes) { return Value(std::to_string(bytes / 1024) + "Ki"); }

std::string huge_pages_name(int64_t bytes) {
  return "hugepages-" + Quantity::of(bytes, Quantity::Format::binary_si).format();
}

Value resources_of(const MachineFacts& machine, bool allocatable) {
  ObjectBuilder resources;
  resources.set("cpu", std::to_string(machine.cpus));
  resources.set("memory", kibibytes_value(machine.memory_bytes));
  resources.set("pods", std::to_string(most_pods));
  // kubelet writes what is to be had in plain bytes.
  if (allocatable) {
    resources.set("ephemeral-storage", std::to_string(machine.disk_bytes / 100 * (100 - least_disk_percent)));
  } else {
    resources.set("ephemeral-storage", kibibytes_value(machine.disk_bytes));
  }
  for (const auto& [size, count] : machine.huge_pages) resources.set(huge_pages_name(size), count == 0 ? Value("0") : bytes_value(size * count));
  return std::move(resources).build();
}

struct Wanted {
  std::string_view type;
  bool holds;
  std::string_view reason_when_true, message_when_true, reason_when_false, message_when_false;
};

const Value& find_condition(const Value& status, std::string_view type) {
  for (const Value& condition : status["conditions"].items())
    if (condition["type"].as_string() == type) return condition;
  return Value::null();
}

// The time of a change is kept while the condition holds; the heartbeat is the Lease's business, so that a status
// in which nothing has changed is the same as before.
Value make_condition(const Wanted& wanted, const Value& before, Instant now) {
  const std::string_view status = wanted.holds ? "True" : "False";
  const std::string_view reason = wanted.holds ? wanted.reason_when_true : wanted.reason_when_false;
  const std::string_view message = wanted.holds ? wanted.message_when_true : wanted.message_when_false;
  if (before["status"].as_string() == status && before["reason"].as_string() == reason && before["message"].as_string() == message)
    return before;
  const bool same_status = before["status"].as_string() == status && before["lastTransitionTime"].is_string();
  const std::string time = format_time(now);
  return Value::object({{"type", wanted.type},
                        {"status", status},
                        {"reason", reason},
                        {"message", message},
                        {"lastHeartbeatTime", time},
                        {"lastTransitionTime", same_status ? before["lastTransitionTime"] : Value(time)}});
}

Value conditions_of(const NodeFacts& facts, const Value& status, Instant now) {
  const MachineFacts& machine = facts.machine;
  const bool memory_short = machine.memory_available_bytes < least_memory_bytes && machine.memory_bytes > 0;
  const bool disk_short = machine.disk_available_bytes < machine.disk_bytes / 100 * least_disk_percent ||
                          (machine.inodes > 0 && machine.inodes_free < machine.inodes / 100 * least_disk_percent);
  const bool processes_short = machine.processes_limit > 0 && machine.processes_limit - machine.processes < least_processes;
  const std::string network = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:" +
                              facts.network_not_ready;
  const std::string missing = "the kernel offers no cgroup v2 controller for " + join(facts.missing_controllers, ", ") +
                              ": limits of these are not enforced";
  const Wanted all[] = {
      {"MemoryPressure", memory_short, "KubeletHasInsufficientMemory", "kubelet has insufficient memory available",
       "KubeletHasSufficientMemory", "kubelet has sufficient memory available"},
      {"DiskPressure", disk_short, "KubeletHasDiskPressure", "kubelet has disk pressure", "KubeletHasNoDiskPressure",
       "kubelet has no disk pressure"},
      {"PIDPressure", processes_short, "KubeletHasInsufficientPID", "kubelet has insufficient PID available",
       "KubeletHasSufficientPID", "kubelet has sufficient PID available"},
      {"CgroupControllersMissing", !facts.missing_controllers.empty(), "ControllersMissing", missing, "ControllersAvailable",
       "limits of cpu, memory and pids are enforced"},
      {"Ready", facts.network_not_ready.empty(), "KubeletReady", "kubelet is posting ready status", "KubeletNotReady", network},
  };
  std::vector<Value> conditions;
  for (const Value& condition : status["conditions"].items()) {
    const bool ours = std::ranges::any_of(all, [&](const Wanted& wanted) { return wanted.type == condition["type"].as_string(); });
    if (!ours) conditions.push_back(condition);
  }
  for (const Wanted& wanted : all) conditions.push_back(make_condition(wanted, find_condition(status, wanted.type), now));
  return Value::list(std::move(conditions));
}

Value addresses_of(const NodeFacts& facts) {
  std::vector<Value> addresses;
  for (const std::string& ip : facts.ips) addresses.push_back(Value::object({{"type", "InternalIP"}, {"address", ip}}));
  addresses.push_back(Value::object({{"type", "Hostname"}, {"address", facts.hostname}}));
  return Value::list(std::move(addresses));
}

Value images_of(const NodeFacts& facts) {
  std::vector<const NodeImage*> sorted;
  for (const NodeImage& image : facts.images) sorted.push_back(&image);
  std::ranges::sort(sorted, [](const NodeImage* a, const NodeImage* b) {
    return a->size_bytes != b->size_bytes ? a->size_bytes > b->size_bytes : a->names < b->names;
  });
  if (sorted.size() > most_images) sorted.resize(most_images);
  std::vector<Value> images;
  for (const NodeImage* image : sorted) {
    std::vector<Value> names(image->names.begin(), image->names.end());
    images.push_back(Value::object({{"names", Value::list(std::move(names))}, {"sizeBytes", image->size_bytes}}));
  }
  return Value::list(std::move(images));
}

Value node_info(const NodeFacts& facts) {
  return Value::object({{"architecture", facts.machine.architecture},
                        {"bootID", facts.machine.boot_id},
                        {"containerRuntimeVersion", "orch://" + facts.orch_version},
                        {"kernelVersion", facts.machine.kernel_version},
                        {"kubeProxyVersion", ""},
                        {"kubeletVersion", facts.kubernetes_version + "+orch" + facts.orch_version},
                        {"machineID", facts.machine.machine_id},
                        {"operatingSystem", "linux"},
                        {"osImage", facts.machine.os_image},
                        {"systemUUID", facts.machine.system_uuid}});
}

}  // namespace

Result<std::pair<std::string, std::string>> parse_node_label(std::string_view text) {
  auto parts = split_once(text, '=');
  if (!parts || parts->first.empty()) return Error::make(Code::usage, "--node-label " + quote(text) + ": expected key=value");
  return std::pair(std::string(parts->first), std::string(parts->second));
}

Result<Value> parse_node_taint(std::string_view text) {
  const size_t colon = text.rfind(':');
  const std::string start = "--node-taint " + quote(text) + ": ";
  if (colon == std::string_view::npos || colon == 0) return Error::make(Code::usage, start + "expected key=value:Effect or key:Effect");
  const std::string_view effect = text.substr(colon + 1);
  if (effect != "NoSchedule" && effect != "PreferNoSchedule" && effect != "NoExecute")
    return Error::make(Code::usage, start + "the effect is one of NoSchedule, PreferNoSchedule, NoExecute");
  auto parts = split_once(text.substr(0, colon), '=');
  ObjectBuilder taint;
  taint.set("key", parts ? parts->first : text.substr(0, colon));
  if (parts) taint.set_if("value", parts->second);
  taint.set("effect", effect);
  return std::move(taint).build();
}

std::map<std::string, std::string> node_labels(const NodeFacts& facts) {
  std::map<std::string, std::string> labels;
  for (std::string_view prefix : {"", "beta."}) {
    labels[std::string(prefix) + "kubernetes.io/arch"] = facts.machine.architecture;
    labels[std::string(prefix) + "kubernetes.io/os"] = "linux";
  }
  labels["kubernetes.io/hostname"] = facts.hostname;
  labels["node.kubernetes.io/instance-type"] = instance_type;
  labels["beta.kubernetes.io/instance-type"] = instance_type;
  for (const auto& [key, value] : facts.labels) labels[key] = value;
  return labels;
}

Value make_node(const NodeFacts& facts, Instant now) {
  ObjectBuilder labels;
  for (const auto& [key, value] : node_labels(facts)) labels.set(key, value);
  Value metadata = Value::object({{"name", facts.name},
                                  {"labels", std::move(labels).build()},
                                  {"annotations", Value::object({{"volumes.kubernetes.io/controller-managed-attach-detach", "true"}})}});
  ObjectBuilder spec;
  spec.set_if("taints", Value::list(facts.taints));
  return Value::object({{"apiVersion", "v1"},
                        {"kind", "Node"},
                        {"metadata", metadata},
                        {"spec", std::move(spec).build()},
                        {"status", make_node_status(facts, Value::null(), now)}});
}

Value node_metadata_patch(const NodeFacts& facts, const Value& node) {
  ObjectBuilder labels;
  for (const auto& [key, value] : node_labels(facts))
    if (node["metadata"]["labels"][key].as_string("\n") != value) labels.set(key, value);
  if (labels.empty()) return Value::null();
  return Value::object({{"metadata", Value::object({{"labels", std::move(labels).build()}})}});
}

Value make_node_status(const NodeFacts& facts, const Value& node, Instant now) {
  ObjectBuilder status(node["status"]);
  status.set("capacity", resources_of(facts.machine, false));
  status.set("allocatable", resources_of(facts.machine, true));
  status.set("conditions", conditions_of(facts, node["status"], now));
  status.set("addresses", addresses_of(facts));
  status.set("nodeInfo", node_info(facts));
  status.remove("images");
  status.set_if("images", images_of(facts));
  return std::move(status).build();
}

std::vector<Note> node_status_notes(std::string_view name, const Value& before, const Value& after) {
  struct Named {
    std::string_view type, when_true, when_false;
  };
  constexpr Named named[] = {{"MemoryPressure", "NodeHasInsufficientMemory", "NodeHasSufficientMemory"},
                             {"DiskPressure", "NodeHasDiskPressure", "NodeHasNoDiskPressure"},
                             {"PIDPressure", "NodeHasInsufficientPID", "NodeHasSufficientPID"},
                             {"Ready", "NodeReady", "NodeNotReady"}};
  std::vector<Note> notes;
  const std::string_view old_boot = before["nodeInfo"]["bootID"].as_string(), boot = after["nodeInfo"]["bootID"].as_string();
  if (!old_boot.empty() && old_boot != boot) {
    notes.push_back({NoteType::warning, "Rebooted", "Node " + std::string(name) + " has been rebooted, boot id: " + std::string(boot), {}});
  }
  for (const Named& condition : named) {
    std::string_view status = find_condition(after, condition.type)["status"].as_string();
    if (status == find_condition(before, condition.type)["status"].as_string()) continue;
    std::string_view reason = status == "True" ? condition.when_true : condition.when_false;
    notes.push_back({NoteType::normal, std::string(reason), "Node " + std::string(name) + " status is now: " + std::string(reason), {}});
  }
  return notes;
}

}  // namespace orch::plan
