// The conditions of a pod that its node keeps; kubelet's status/generate.go.

#include "base/text.h"
#include "plan/core/status.h"
#include "plan/pod/containers.h"
#include "plan/pod/pod_status.h"

namespace orch::plan::pod {

namespace {

struct Condition {
  std::string_view type;
  bool holds = false;
  std::string reason{}, message{};
};

// Go's %s of a []string: "[a b]".
std::string bracketed(const std::vector<std::string>& names) { return "[" + join(names, " ") + "]"; }

Condition containers_ready(const Pass& pass, std::string_view phase) {
  Condition condition{"ContainersReady"};
  if (phase == "Succeeded") condition.reason = "PodCompleted";
  if (phase == "Failed") condition.reason = "PodFailed";
  if (!condition.reason.empty()) return condition;
  std::vector<std::string> unready;
  for (const ContainerFacts& container : pass.facts) {
    const bool counts = container.view->kind == ContainerKind::main || container.view->kind == ContainerKind::sidecar;
    if (counts && !container.ready) unready.emplace_back(container.view->name());
  }
  condition.holds = unready.empty();
  if (condition.holds) return condition;
  condition.reason = "ContainersNotReady";
  condition.message = "containers with unready status: " + bracketed(unready);
  return condition;
}

Condition pod_ready(const Pass& pass, Condition containers, const Value& conditions) {
  containers.type = "Ready";
  if (!containers.holds) return containers;
  std::vector<std::string> complaints;
  for (const Value& gate : pass.pod().spec()["readinessGates"].items()) {
    std::string type(gate["conditionType"].as_string());
    const Value& found = find_condition(conditions, type);
    if (found.is_null()) {
      complaints.push_back("corresponding condition of pod readiness gate " + quote(type) + " does not exist.");
    } else if (found["status"].as_string() != "True") {
      complaints.push_back("the status of pod readiness gate " + quote(type) + " is not \"True\", but " +
                           std::string(found["status"].as_string()));
    }
  }
  if (complaints.empty()) return containers;
  return {"Ready", false, "ReadinessGatesNotReady", join(complaints, ", ")};
}

Condition initialized(const Pass& pass, std::string_view phase, const Value& init_statuses) {
  Condition condition{"Initialized", true};
  if (phase == "Succeeded") condition.reason = "PodCompleted";
  auto main_ended = [](const ContainerFacts& c) { return c.view->kind == ContainerKind::main && c.ended; };
  const bool was_past = is_terminal(phase) && std::ranges::any_of(pass.facts, main_ended);
  if (phase == "Succeeded" || was_past || is_initialized(pass.facts)) return condition;
  std::vector<std::string> incomplete;
  for (const ContainerFacts& container : pass.facts) {
    if (container.view->kind == ContainerKind::sidecar && !container.started) incomplete.emplace_back(container.view->name());
    if (container.view->kind != ContainerKind::init) continue;
    for (const Value& status : init_statuses.items())
      if (status["name"].as_string() == container.view->name() && !status["ready"].as_bool())
        incomplete.emplace_back(container.view->name());
  }
  if (incomplete.empty()) return condition;
  return {"Initialized", false, "ContainersNotInitialized", "containers with incomplete status: " + bracketed(incomplete)};
}

// As kubelet writes them: lastProbeTime is always there; lastTransitionTime changes with the status only.
Value stamped(const Condition& condition, const Value& was, Instant now) {
  const Value status = condition.holds ? "True" : "False";
  ObjectBuilder next;
  next.set("type", condition.type);
  next.set("status", status);
  next.set("lastProbeTime", nullptr);
  next.set("lastTransitionTime", was["status"] == status ? was["lastTransitionTime"] : Value(format_time(now)));
  next.set_if("reason", Value(condition.reason));
  next.set_if("message", Value(condition.message));
  return std::move(next).build();
}

}  // namespace

Value make_conditions(const Pass& pass, std::string_view phase, const Value& init_statuses) {
  const Value& was = pass.memory.status["conditions"];
  const Value& theirs = pass.pod().status()["conditions"];
  const Instant now = pass.situation.now;
  const SandboxRecord* sandbox = pass.situation.sandbox;
  Condition containers = containers_ready(pass, phase);
  bool can_start = sandbox && sandbox->alive && (!pass.memory.ips.empty() || pass.pod().host_network());
  std::vector<Condition> own{{"PodReadyToStartContainers", can_start, "", ""},
                             initialized(pass, phase, init_statuses),
                             pod_ready(pass, containers, theirs),
                             containers};
  if (find_condition(theirs, "PodScheduled").is_null()) own.push_back({"PodScheduled", true, "", ""});
  std::vector<Value> list;
  for (const Condition& condition : own) list.push_back(stamped(condition, find_condition(was, condition.type), now));
  for (const Value& other : theirs.items()) {
    auto is_own = [&](const Condition& condition) { return other["type"].as_string() == condition.type; };
    if (std::ranges::none_of(own, is_own)) list.push_back(other);
  }
  return Value::list(std::move(list));
}

}  // namespace orch::plan::pod
