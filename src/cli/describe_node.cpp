// `describe node`: kubectl's sections and columns (kubectl/pkg/describe, describeNode).

#include "base/text.h"
#include "cli/describe_text.h"
#include "data/quantity.h"

namespace orch::cli {

namespace {

// What a pod asks for at a time: the larger of what runs together (containers and sidecars) and of each init container
// with the sidecars before it (KEP-753), plus overhead.
Quantity amount_of(const Value& spec, std::string_view which, std::string_view resource) {
  Quantity together, largest;
  for (const Value& init : spec["initContainers"].items()) {
    const Quantity own = Quantity::from(init["resources"][which][resource]);
    const Quantity now = together + own;
    if (now > largest) largest = now;
    if (init["restartPolicy"].as_string() == "Always") together = now;
  }
  for (const Value& container : spec["containers"].items()) {
    together = together + Quantity::from(container["resources"][which][resource]);
  }
  const Quantity most = largest > together ? largest : together;
  const Quantity overhead = Quantity::from(spec["overhead"][resource]);
  // Overhead counts to a limit only where there is one.
  return which == "limits" && most.is_zero() ? most : most + overhead;
}

std::string share_text(const Quantity& amount, const Value& allocatable) {
  const Quantity whole = Quantity::from(allocatable);
  const double percent = whole.is_zero() ? 0 : amount.as_double() / whole.as_double() * 100;
  return amount.format() + " (" + std::to_string(static_cast<int64_t>(percent)) + "%)";
}

std::string shown_lease(const Value& lease) {
  const Value& spec = lease["spec"];
  auto time = [&spec](std::string_view field) { return spec[field].is_string() ? shown_time(spec[field]) : "<unset>"; };
  std::string holder(spec["holderIdentity"].as_string("<unset>"));
  return "Lease:\n  HolderIdentity:\t" + holder + "\n  AcquireTime:\t" + time("acquireTime") + "\n  RenewTime:\t" +
         time("renewTime") + "\n";
}

std::string shown_conditions(const Value& conditions) {
  std::string text =
      "Conditions:\n  Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage\n"
      "  ----\t------\t-----------------\t------------------\t------\t-------\n";
  for (const Value& c : conditions.items()) {
    text += "  " + shown_scalar(c["type"]) + " \t" + shown_scalar(c["status"]) + " \t" + shown_time(c["lastHeartbeatTime"]) + " \t" +
            shown_time(c["lastTransitionTime"]) + " \t" + shown_scalar(c["reason"]) + " \t" + shown_scalar(c["message"]) + "\n";
  }
  return text;
}

constexpr std::pair<std::string_view, std::string_view> kSystemInfo[] = {
    {"Machine ID", "machineID"},
    {"System UUID", "systemUUID"},
    {"Boot ID", "bootID"},
    {"Kernel Version", "kernelVersion"},
    {"OS Image", "osImage"},
    {"Operating System", "operatingSystem"},
    {"Architecture", "architecture"},
    {"Container Runtime Version", "containerRuntimeVersion"},
    {"Kubelet Version", "kubeletVersion"},
    {"Kube-Proxy Version", "kubeProxyVersion"},
};

std::string shown_machine(const Value& status) {
  std::string text = "Addresses:\n";
  for (const Value& address : status["addresses"].items()) {
    text += "  " + shown_scalar(address["type"]) + ":\t" + shown_scalar(address["address"]) + "\n";
  }
  for (std::string_view name : {"capacity", "allocatable"}) {
    text += name == "capacity" ? "Capacity:\n" : "Allocatable:\n";
    for (const Member& member : status[name].members()) {
      text += "  " + std::string(member.name()) + ":\t" + shown_scalar(member.value) + "\n";
    }
  }
  text += "System Info:\n";
  for (const auto& [label, field] : kSystemInfo) {
    text += "  " + std::string(label) + ":\t" + shown_scalar(status["nodeInfo"][field]) + "\n";
  }
  return text;
}

constexpr std::string_view kWhich[] = {"requests", "limits"};

std::string shown_pods(const Surroundings& around, const Value& allocatable) {
  std::string text = "Non-terminated Pods:\t(" + std::to_string(around.pods.size()) + " in total)\n";
  text += "  Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge\n";
  text += "  ---------\t----\t\t------------\t----------\t---------------\t-------------\t---\n";
  for (const Value& pod : around.pods) {
    text += "  " + shown_scalar(pod["metadata"]["namespace"]) + "\t" + shown_scalar(pod["metadata"]["name"]) + "\t";
    for (std::string_view resource : {"cpu", "memory"}) {
      for (std::string_view which : kWhich) text += "\t" + share_text(amount_of(pod["spec"], which, resource), allocatable[resource]);
    }
    auto created = parse_time(pod["metadata"]["creationTimestamp"].as_string());
    text += "\t" + (created.ok() ? format_age(around.now - created.value()) : "<unknown>") + "\n";
  }
  return text;
}

std::string shown_allocation(const Surroundings& around, const Value& allocatable) {
  std::string text =
      "Allocated resources:\n  (Total limits may be over 100 percent, i.e., overcommitted.)\n"
      "  Resource\tRequests\tLimits\n  --------\t--------\t------\n";
  std::vector<std::string> names = {"cpu", "memory", "ephemeral-storage"};
  for (const Member& member : allocatable.members()) {
    const bool standard = member.name() == "cpu" || member.name() == "memory" || member.name() == "ephemeral-storage" || member.name() == "pods";
    if (!standard) names.emplace_back(member.name());
  }
  for (const std::string& name : names) {
    text += "  " + name;
    for (std::string_view which : kWhich) {
      Quantity sum;
      for (const Value& pod : around.pods) sum = sum.is_zero() ? amount_of(pod["spec"], which, name) : sum + amount_of(pod["spec"], which, name);
      text += "\t" + share_text(sum, allocatable[name]);
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::string describe_node(const Value& object, const Surroundings& around) {
  const Value& status = object["status"];
  const Value& spec = object["spec"];
  std::string text = describe_head(object);
  std::vector<std::string> roles;
  for (const Member& label : object["metadata"]["labels"].members()) {
    constexpr std::string_view kRole = "node-role.kubernetes.io/";
    if (label.name().starts_with(kRole)) roles.emplace_back(label.name().substr(kRole.size()));
  }
  text += "Roles:\t" + (roles.empty() ? std::string("<none>") : join(roles, ",")) + "\n";
  text += describe_labels("Labels", object["metadata"]["labels"]);
  text += describe_labels("Annotations", object["metadata"]["annotations"]);
  text += "CreationTimestamp:\t" + shown_time(object["metadata"]["creationTimestamp"]) + "\n";
  std::vector<std::string> taints;
  for (const Value& taint : spec["taints"].items()) {
    std::string value(taint["value"].as_string());
    taints.push_back(std::string(taint["key"].as_string()) + (value.empty() ? "" : "=" + value) + ":" +
                     std::string(taint["effect"].as_string()));
  }
  text += "Taints:\t" + (taints.empty() ? std::string("<none>") : join(taints, "\n\t")) + "\n";
  text += std::string("Unschedulable:\t") + (spec["unschedulable"].as_bool() ? "true" : "false") + "\n";
  if (!around.lease.is_null()) text += shown_lease(around.lease);
  text += shown_conditions(status["conditions"]);
  text += shown_machine(status);
  if (!spec["podCIDR"].as_string().empty()) text += "PodCIDR:\t" + shown_scalar(spec["podCIDR"]) + "\n";
  if (!spec["podCIDRs"].empty()) text += "PodCIDRs:\t" + shown_list(spec["podCIDRs"]) + "\n";
  if (!spec["providerID"].as_string().empty()) text += "ProviderID:\t" + shown_scalar(spec["providerID"]) + "\n";
  text += shown_pods(around, status["allocatable"]);
  text += shown_allocation(around, status["allocatable"]);
  return text + describe_events(around.events, around.now);
}

}  // namespace orch::cli
