#include "plan/pod/containers.h"

#include "base/text.h"
#include "plan/pod/starting.h"
#include "plan/pod/stopping.h"

namespace orch::plan::pod {

namespace {

// Why a running container has to be replaced; "": it has not.
std::string reason_to_kill(const Pass& pass, const ContainerFacts& container) {
  std::string name(container.view->name());
  if (container.view->kind == ContainerKind::main && container.record->spec_hash != spec_hash(*container.view))
    return "Container " + name + " definition changed";
  if (!pass.situation.probes) return "";
  auto health = pass.situation.probes->find(container.record->id);
  if (health == pass.situation.probes->end()) return "";
  if (health->second.liveness == ProbeResult::failure) return "Container " + name + " failed liveness probe";
  if (health->second.startup == ProbeResult::failure) return "Container " + name + " failed startup probe";
  return "";
}

Duration grace_of(const Pass& pass, const ContainerFacts& container) {
  auto health = pass.situation.probes ? pass.situation.probes->find(container.record->id) : ProbeResults::const_iterator{};
  if (pass.situation.probes && health != pass.situation.probes->end()) {
    std::string_view probe = health->second.liveness == ProbeResult::failure  ? "livenessProbe"
                             : health->second.startup == ProbeResult::failure ? "startupProbe"
                                                                              : "";
    const Value& own = container.view->spec[probe]["terminationGracePeriodSeconds"];
    if (own.is_int()) return std::chrono::seconds(own.as_int());
  }
  return pass.pod().grace_period();
}

// kubelet's order: the hook begins once the container runs, and counts as part of its start.
void run_post_start(Pass& pass, const ContainerFacts& container) {
  const ContainerRecord& record = *container.record;
  if (container.view->spec["lifecycle"]["postStart"].is_null() || record.phase != ContainerRecord::Phase::running) return;
  if (pass.memory.containers[record.name].post_start_done.contains(record.id)) return;
  pass.ask(PodAction{ActionKind::post_start, record.name, record.id});
}

// A container that runs: its hook, and whether it may go on. True: it does.
bool keep_running(Pass& pass, const ContainerFacts& container) {
  const ContainerRecord& record = *container.record;
  if (pass.memory.stops.contains(record.id)) {
    stop_container(pass, container, pass.memory.stops[record.id].grace, "", true);
    return false;
  }
  std::string why = reason_to_kill(pass, container);
  if (why.empty()) {
    run_post_start(pass, container);
    return true;
  }
  if (container.view->restart_policy != RestartPolicy::never) why += ", will be restarted";
  stop_container(pass, container, grace_of(pass, container), std::move(why), true);
  return false;
}

bool is_busy(const Pass& pass, const ContainerFacts& container) {
  if (container.live) {
    return !container.view->spec["lifecycle"]["postStart"].is_null() &&
           pass.is_under_way(PodAction{ActionKind::post_start, {}, container.record->id}.key());
  }
  return is_being_started(pass, container);
}

// Of those that are dead only the newest of each name is kept, for its status and `logs --previous`.
void forget_old_ones(Pass& pass) {
  for (const ContainerFacts& container : pass.facts) {
    if (!container.here) continue;
    const ContainerRecord* kept = container.live ? container.previous : container.record;
    for (const ContainerRecord& record : pass.situation.sandbox->containers) {
      if (record.name != container.view->name() || record.is_live() || &record == kept) continue;
      PodAction action{ActionKind::remove_container, record.name, record.id};
      action.attempt = record.attempt;
      pass.ask(std::move(action));
    }
  }
}

// Init containers and sidecars, one after the other. True: the main containers' turn has come.
bool plan_init_containers(Pass& pass, bool initialized) {
  for (const ContainerFacts& container : pass.facts) {
    const bool sidecar = container.view->kind == ContainerKind::sidecar;
    if (container.view->kind != ContainerKind::init && !sidecar) continue;
    if (initialized && !sidecar) continue;
    if (container.live) {
      const bool kept = keep_running(pass, container);
      if (!initialized && (!sidecar || !kept || !container.started)) return false;
      continue;
    }
    if (!sidecar && container.here && container.succeeded()) continue;
    if (container.wants_start()) start_container(pass, container);
    if (!initialized) return false;
  }
  return true;
}

}  // namespace

bool is_initialized(const std::vector<ContainerFacts>& facts) {
  return std::ranges::any_of(facts, [](const ContainerFacts& c) { return c.view->kind == ContainerKind::main && c.here; });
}

void plan_containers(Pass& pass) {
  forget_old_ones(pass);
  for (const ContainerFacts& container : pass.facts) {
    if (container.view->kind != ContainerKind::ephemeral) continue;
    if (container.live) {
      keep_running(pass, container);
    } else if (container.wants_start()) {
      start_container(pass, container);
    }
  }
  if (!plan_init_containers(pass, is_initialized(pass.facts))) return;
  bool in_turn = true;  // one that is being started for the first time holds up those after it
  for (const ContainerFacts& container : pass.facts) {
    if (container.view->kind != ContainerKind::main) continue;
    if (container.live) {
      keep_running(pass, container);
    } else if (container.wants_start() && in_turn) {
      start_container(pass, container);
    }
    if (is_busy(pass, container)) in_turn = false;
  }
}

}  // namespace orch::plan::pod
