#include "plan/pod/pod_status.h"

#include "plan/core/object.h"

namespace orch::plan::pod {

namespace {

// The containers that decide on the phase, counted as kubelet's getPhase does.
struct Counts {
  int running = 0, waiting = 0, stopped = 0, succeeded = 0;
  bool init_pending = false, init_failed = false;
  bool sidecars_live = false;
};

Counts count(const Pass& pass) {
  Counts counts;
  bool any_main_began = false;
  for (const ContainerFacts& container : pass.facts) {
    switch (container.view->kind) {
      case ContainerKind::ephemeral: break;
      case ContainerKind::sidecar: counts.sidecars_live |= container.live; break;
      case ContainerKind::init:
        if (container.here && container.succeeded()) break;
        if (container.here && container.ended && container.view->restart_policy == RestartPolicy::never) {
          counts.init_failed = true;
        } else {
          counts.init_pending = true;
        }
        break;
      case ContainerKind::main:
        any_main_began |= container.here || container.ended.has_value();
        if (container.live && container.record->phase == ContainerRecord::Phase::running) {
          ++counts.running;
        } else if (container.ended) {
          ++counts.stopped;
          counts.succeeded += container.ended->exit_code == 0;
        } else {
          ++counts.waiting;
        }
    }
  }
  if (any_main_began) counts.init_pending = false;
  return counts;
}

std::string_view phase_of(const Pass& pass, const Standing& standing) {
  std::string_view old = pass.memory.status["phase"].as_string();
  if (is_terminal(old)) return old;
  const Counts counts = count(pass);
  // A pod's end shows when nothing of it runs any more; those that are deleted count every exit.
  if (standing.failed && standing.all_ended) return "Failed";
  if (counts.init_failed && standing.all_ended) return "Failed";
  if (standing.ending && standing.all_ended) {
    if (counts.stopped > 0 && counts.waiting == 0 && counts.succeeded == counts.stopped) return "Succeeded";
    return "Failed";
  }
  if (counts.init_pending || counts.waiting > 0) return "Pending";
  return "Running";
}

Value address_list(const std::vector<std::string>& ips) {
  std::vector<Value> list;
  for (const std::string& ip : ips) list.push_back(Value::object({{"ip", ip}}));
  return Value::list(std::move(list));
}

void set_addresses(const Pass& pass, ObjectBuilder& status) {
  const auto& hosts = pass.situation.host_ips;
  if (!hosts.empty()) status.set("hostIP", hosts.front()).set("hostIPs", address_list(hosts));
  const auto& ips = pass.pod().host_network() ? hosts : pass.memory.ips;
  const bool has_sandbox = pass.situation.sandbox != nullptr;
  if (!ips.empty() && (has_sandbox || pass.memory.status.has("podIP")))
    status.set("podIP", ips.front()).set("podIPs", address_list(ips));
}

}  // namespace

bool is_terminal(std::string_view phase) { return phase == "Succeeded" || phase == "Failed"; }

Value make_status(const Pass& pass, const Standing& standing) {
  const Value& old = pass.memory.status;
  // What ran is gone with its sandbox: the last word about a finished pod stays.
  if (is_terminal(old["phase"].as_string()) && !pass.situation.sandbox && !old["containerStatuses"].empty()) return old;
  ObjectBuilder status(old);
  std::string_view phase = phase_of(pass, standing);
  std::vector<Value> init, main, ephemeral;
  for (const ContainerFacts& container : pass.facts) {
    auto& list = container.view->kind == ContainerKind::main        ? main
                 : container.view->kind == ContainerKind::ephemeral ? ephemeral
                                                                    : init;
    list.push_back(make_container_status(pass, container, standing));
  }
  status.set("phase", phase);
  if (standing.failed && phase == "Failed" && !is_terminal(old["phase"].as_string()))
    status.set("reason", standing.failed->reason).set("message", standing.failed->message);
  Value init_statuses = Value::list(std::move(init));
  status.set("conditions", make_conditions(pass, phase, init_statuses));
  status.remove("initContainerStatuses").remove("containerStatuses").remove("ephemeralContainerStatuses");
  status.set_if("initContainerStatuses", init_statuses);
  status.set_if("containerStatuses", Value::list(std::move(main)));
  status.set_if("ephemeralContainerStatuses", Value::list(std::move(ephemeral)));
  if (old["startTime"].is_null()) status.set("startTime", format_time(pass.situation.now));
  if (generation_of(pass.pod().object()) > 0 && old.has("observedGeneration"))
    status.set("observedGeneration", generation_of(pass.pod().object()));
  set_addresses(pass, status);
  return std::move(status).build();
}

}  // namespace orch::plan::pod
