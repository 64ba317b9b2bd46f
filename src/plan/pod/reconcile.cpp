#include "plan/pod/reconcile.h"

#include "plan/core/object.h"
#include "plan/pod/containers.h"
#include "plan/pod/pass.h"
#include "plan/pod/pod_status.h"
#include "plan/pod/stopping.h"

namespace orch::plan::pod {

namespace {

constexpr Duration least_grace = 1s;  // kubelet's, also for a pod deleted by force

std::optional<Verdict> past_deadline(Pass& pass) {
  const Value& seconds = pass.pod().spec()["activeDeadlineSeconds"];
  auto start = time_of(pass.memory.status["startTime"]);
  if (!seconds.is_int() || !start) return std::nullopt;
  Duration left = *start + std::chrono::seconds(seconds.as_int()) - pass.situation.now;
  if (left > Duration{}) {
    pass.look_after(left);
    return std::nullopt;
  }
  return Verdict{"DeadlineExceeded", "Pod was active on the node longer than the specified deadline"};
}

// Nothing of it will be started any more, by what its containers did.
bool has_run_its_course(const Pass& pass) {
  bool any_left = false;
  for (const ContainerFacts& container : pass.facts) {
    if (container.view->kind == ContainerKind::main) any_left |= container.live || container.wants_start();
    const bool failed = container.view->kind == ContainerKind::init && container.here && container.ended &&
                        container.ended->exit_code != 0 && container.view->restart_policy == RestartPolicy::never;
    if (failed && !is_initialized(pass.facts)) return true;
  }
  return !any_left;
}

Standing judge(Pass& pass) {
  Standing standing;
  const bool was_terminal = is_terminal(pass.memory.status["phase"].as_string());
  if (pass.situation.rejection && !was_terminal)
    standing.failed = Verdict{pass.situation.rejection->reason, "Pod was rejected: " + pass.situation.rejection->message};
  if (!standing.failed && !was_terminal) standing.failed = past_deadline(pass);
  standing.ending = pass.situation.gone || pass.pod().is_deleting() || was_terminal || standing.failed.has_value() ||
                    has_run_its_course(pass);
  return standing;
}

// Operations that could still bring something to life.
bool is_something_beginning(const Memory& memory) {
  for (const std::string& key : memory.operations)
    for (std::string_view prefix : {"start ", "sandbox", "volumes"})
      if (key.starts_with(prefix)) return true;
  return false;
}

// All containers have ended: what is left of the pod goes, as far as it may.
void clean_up(Pass& pass) {
  Memory& memory = pass.memory;
  const bool leaves = pass.situation.gone || pass.pod().is_deleting();
  if (is_something_beginning(memory) || pass.must_wait(memory.sandbox)) return;
  if (!leaves) {
    // The API knows how it ended before the records of it go.
    const bool told = is_terminal(pass.pod().status()["phase"].as_string());
    if (told && !memory.released) pass.ask({ActionKind::release});
    return;
  }
  if (!memory.torn_down) {
    pass.ask({ActionKind::tear_down});
  } else if (pass.situation.gone) {
    pass.ask({ActionKind::forget});
  } else if (!memory.deleted) {
    pass.ask({ActionKind::delete_object});
  }
}

void note_rejection(Pass& pass, const Standing& standing) {
  if (!pass.situation.rejection || !standing.failed || is_terminal(pass.memory.status["phase"].as_string())) return;
  pass.note(warning(pass.situation.rejection->reason, pass.situation.rejection->message));
}

void plan_end(Pass& pass, Standing& standing) {
  note_rejection(pass, standing);
  if (standing.failed && standing.failed->reason == "DeadlineExceeded" && pass.memory.stops.empty() &&
      std::ranges::any_of(pass.facts, [](const ContainerFacts& c) { return c.live; }))
    pass.note(normal("DeadlineExceeded", standing.failed->message));
  // What the API no longer has was deleted by force: this node alone ends a graceful deletion.
  Duration grace = pass.situation.gone ? least_grace : std::max<Duration>(pass.pod().grace_period(), least_grace);
  standing.all_ended = stop_all(pass, grace) && !is_something_beginning(pass.memory);
}

// True: sandbox and network are there.
bool ensure_sandbox(Pass& pass) {
  Memory& memory = pass.memory;
  const SandboxRecord* sandbox = pass.situation.sandbox;
  if (sandbox && !sandbox->alive) {
    if (pass.must_wait(memory.sandbox)) return false;
    memory.sandbox_attempt = std::max(memory.sandbox_attempt, sandbox->attempt + 1);
    if (pass.ask({ActionKind::remove_sandbox}))
      pass.note(normal("SandboxChanged", "Pod sandbox changed, it will be killed and re-created."));
    return false;
  }
  if (sandbox && (memory.attached || pass.pod().host_network())) return true;
  if (pass.must_wait(memory.sandbox)) return false;
  if (!pass.pod().host_network() && !pass.situation.network_not_ready.empty()) {
    if (!memory.network_noted) pass.note(warning("NetworkNotReady", "network is not ready: " + pass.situation.network_not_ready));
    memory.network_noted = true;
    pass.look_after(500ms);
    return false;
  }
  PodAction action{sandbox ? ActionKind::attach_network : ActionKind::create_sandbox};
  action.attempt = memory.sandbox_attempt;
  pass.ask(std::move(action));
  return false;
}

void plan_life(Pass& pass) {
  Memory& memory = pass.memory;
  const bool stale = memory.volumes_generation != pass.situation.references_generation;
  if ((!memory.volumes_ready || stale) && !pass.must_wait(memory.volumes)) pass.ask({ActionKind::prepare_volumes});
  if (!memory.volumes_ready) return;
  if (ensure_sandbox(pass)) plan_containers(pass);
}

void forget_stale(Pass& pass) {
  auto is_live = [&](const std::string& id) {
    return std::ranges::any_of(pass.facts, [&](const ContainerFacts& c) { return c.live && c.record->id == id; });
  };
  std::erase_if(pass.memory.stops, [&](const auto& stop) { return !is_live(stop.first); });
}

// Somebody else has ended the pod (an eviction, the pod collector): phase and reason are theirs.
void adopt_verdict(Pass& pass) {
  const Value& theirs = pass.pod().status();
  Value& ours = pass.memory.status;
  if (!is_terminal(theirs["phase"].as_string()) || is_terminal(ours["phase"].as_string())) return;
  ours = ours.with("phase", theirs["phase"]);
  for (std::string_view field : {"reason", "message"})
    if (!theirs[field].is_null()) ours = ours.with(field, theirs[field]);
}

}  // namespace

PodPlan reconcile(const Situation& situation, Memory& memory) {
  PodPlan plan;
  Pass pass{situation, memory, plan, gather_facts(situation, memory)};
  forget_stale(pass);
  adopt_verdict(pass);
  Standing standing = judge(pass);
  if (standing.ending) {
    plan_end(pass, standing);
  } else {
    plan_life(pass);
  }
  plan.status = memory.status = make_status(pass, standing);
  if (standing.all_ended) clean_up(pass);
  return plan;
}

void adopt(const SandboxRecord& sandbox, Memory& memory) {
  memory.sandbox_attempt = sandbox.attempt + 1;
  if (!sandbox.alive) return;
  for (const Value& ip : memory.status["podIPs"].items()) memory.ips.emplace_back(ip["ip"].as_string());
  for (const ContainerRecord& record : sandbox.containers) {
    if (!record.is_live()) continue;
    ContainerMemory& container = memory.containers[record.name];
    container.post_start_done.insert(record.id);
    const Value& status = remembered_status(memory.status, record.name);
    if (!status["containerID"].as_string().ends_with(record.id)) continue;
    container.adopted_id = record.id;
    container.adopted_started = status["started"].as_bool();
    container.adopted_ready = status["ready"].as_bool();
  }
}

std::string_view text_of(ActionKind kind) {
  switch (kind) {
    case ActionKind::prepare_volumes: return "volumes";
    case ActionKind::create_sandbox: return "create-sandbox";
    case ActionKind::remove_sandbox: return "remove-sandbox";
    case ActionKind::attach_network: return "attach-network";
    case ActionKind::pull_image: return "pull";
    case ActionKind::start_container: return "start";
    case ActionKind::post_start: return "post-start";
    case ActionKind::pre_stop: return "pre-stop";
    case ActionKind::signal_container: return "signal";
    case ActionKind::remove_container: return "remove";
    case ActionKind::release: return "release";
    case ActionKind::tear_down: return "tear-down";
    case ActionKind::delete_object: return "delete-object";
    case ActionKind::forget: return "forget";
  }
  return "";
}

std::string PodAction::key() const {
  switch (kind) {
    case ActionKind::create_sandbox:
    case ActionKind::remove_sandbox:
    case ActionKind::attach_network:
    case ActionKind::release:
    case ActionKind::tear_down: return "sandbox";
    case ActionKind::pull_image: return "pull " + image;
    case ActionKind::start_container: return "start " + container;
    case ActionKind::post_start:
    case ActionKind::pre_stop:
    case ActionKind::remove_container: return std::string(text_of(kind)) + " " + id;
    case ActionKind::signal_container: return "signal " + std::to_string(signal) + " " + id;
    default: return std::string(text_of(kind));
  }
}

std::string format_action(const PodAction& action) {
  std::string text(text_of(action.kind));
  switch (action.kind) {
    case ActionKind::start_container: return text + " " + action.container + " #" + std::to_string(action.attempt);
    case ActionKind::pull_image: return text + " " + action.image;
    case ActionKind::signal_container: return text + " " + action.container + " " + std::to_string(action.signal);
    case ActionKind::remove_container: return text + " " + action.container + " #" + std::to_string(action.attempt);
    case ActionKind::create_sandbox: return text + " #" + std::to_string(action.attempt);
    default: return action.container.empty() ? text : text + " " + action.container;
  }
}

}  // namespace orch::plan::pod
