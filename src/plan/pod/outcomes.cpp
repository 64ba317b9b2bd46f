#include "plan/pod/outcomes.h"

#include <algorithm>

#include "base/text.h"
#include "plan/pod/events.h"

namespace orch::plan::pod {

namespace {

struct Ending {
  Memory& memory;
  const PodView& pod;
  const PodAction& action;
  const ActionOutcome& outcome;
  Instant now;
  Mono mono;
  std::vector<Note> notes;

  void note(Note note) { notes.push_back(std::move(note)); }
  void note_container(Note note) { notes.push_back(about(pod, action.container, std::move(note))); }
  ContainerMemory& container() { return memory.containers[action.container]; }
};

Retry again(const std::optional<Retry>& before, Duration base, Duration most, const Ending& ending) {
  Retry retry;
  retry.failures = before ? before->failures + 1 : 1;
  Duration delay = base;
  for (int i = 1; i < retry.failures && delay < most; ++i) delay *= 2;
  retry.at = ending.mono + std::min(delay, most);
  retry.generation = ending.outcome.generation;
  retry.message = ending.outcome.failure->message;
  return retry;
}

void end_volumes(Ending& ending) {
  Memory& memory = ending.memory;
  const auto& failure = ending.outcome.failure;
  if (failure) {
    // kubelet's exponential back-off of volumes: 500 ms to 2 min 2 s.
    memory.volumes = again(memory.volumes, 500ms, 122s, ending);
    return ending.note(warning("FailedMount", "MountVolume.SetUp failed for volume " + quote(failure->subject) + " : " + failure->message));
  }
  memory.volumes.reset();
  memory.volumes_ready = true;
  memory.volumes_generation = ending.outcome.generation;
}

void end_sandbox(Ending& ending) {
  const auto& failure = ending.outcome.failure;
  if (!failure) {
    if (ending.action.kind == ActionKind::attach_network) {
      ending.memory.attached = true;
      ending.memory.ips = ending.outcome.ips;
      ending.memory.sandbox.reset();
    } else {
      ending.memory.attached = false;
      ending.memory.sandbox_attempt = ending.action.attempt + 1;
      if (ending.pod.host_network()) ending.memory.sandbox.reset();
    }
    return;
  }
  ending.memory.sandbox = again(ending.memory.sandbox, 1s, 60s, ending);
  std::string what = ending.action.kind == ActionKind::attach_network ? "Failed to create pod sandbox: failed to setup network for sandbox: "
                                                                      : "Failed to create pod sandbox: ";
  ending.note(warning("FailedCreatePodSandBox", what + failure->message));
}

void end_pull(Ending& ending) {
  const std::string image = quote(ending.action.image);
  PullMemory& pull = ending.memory.pulls[ending.action.image];
  if (!ending.outcome.failure) {
    pull = {};
    for (const ContainerView& view : ending.pod.containers()) {
      if (view.image() != ending.action.image) continue;
      ContainerMemory& memory = ending.memory.containers[std::string(view.name())];
      memory.waiting_reason.clear();
      memory.waiting_message.clear();
    }
    ending.container().pulled_for = ending.action.attempt;
    std::string took = format_duration(std::chrono::duration_cast<std::chrono::milliseconds>(ending.outcome.took));
    return ending.note_container(normal("Pulled", "Successfully pulled image " + image + " in " + took + " (" + took +
                                                      " including waiting). Image size: " +
                                                      std::to_string(ending.outcome.image_bytes) + " bytes."));
  }
  pull.back_off = grown(pull.back_off, pull_rule, ending.now, ending.now);
  pull.failed_at = ending.now;
  pull.error = ending.outcome.failure->message;
  ending.note_container(warning("Failed", "Failed to pull image " + image + ": " + pull.error));
  ending.note_container(warning("Failed", "Error: ErrImagePull"));
}

void end_start(Ending& ending) {
  ContainerMemory& memory = ending.container();
  const std::string& name = ending.action.container;
  if (const auto& failure = ending.outcome.failure) {
    memory.retry = again(std::nullopt, 10s, 10s, ending);  // kubelet's backOffPeriod
    memory.waiting_reason = failure->reason.empty() ? "CreateContainerError" : failure->reason;
    memory.waiting_message = failure->message;
    return ending.note_container(warning("Failed", "Error: " + failure->message));
  }
  memory.retry.reset();
  memory.waiting_reason.clear();
  memory.waiting_message.clear();
  ending.note_container(normal("Created", "Created container: " + name));
  if (!ending.outcome.start_error.empty()) {
    memory.waiting_reason = "RunContainerError";
    memory.waiting_message = ending.outcome.start_error;
    return ending.note_container(warning("Failed", "Error: " + ending.outcome.start_error));
  }
  ending.note_container(normal("Started", "Started container " + name));
}

void end_post_start(Ending& ending) {
  ContainerMemory& memory = ending.container();
  if (!ending.outcome.failure) {
    memory.post_start_done = {ending.action.id};
    return;
  }
  ending.note_container(warning("FailedPostStartHook", "PostStartHook failed: " + ending.outcome.failure->message));
  Stop& stop = ending.memory.stops[ending.action.id];
  if (stop.why.empty()) stop = Stop{"FailedPostStartHook", ending.mono, ending.pod.grace_period()};
  ending.note_container(normal("Killing", "FailedPostStartHook"));
}

void end_pre_stop(Ending& ending) {
  auto stop = ending.memory.stops.find(ending.action.id);
  if (stop != ending.memory.stops.end()) stop->second.hook_ended = true;
  if (ending.outcome.failure)
    ending.note_container(warning("FailedPreStopHook", "PreStopHook failed: " + ending.outcome.failure->message));
}

// A signal that could not be sent is sent again.
void end_signal(Ending& ending) {
  auto stop = ending.memory.stops.find(ending.action.id);
  if (!ending.outcome.failure || stop == ending.memory.stops.end()) return;
  ending.note_container(warning("FailedKillPod", "error killing pod: " + ending.outcome.failure->message));
}

void end_removal(Ending& ending) {
  if (ending.outcome.failure) {
    ending.memory.sandbox = again(ending.memory.sandbox, 1s, 60s, ending);
    return ending.note(warning("FailedKillPod", "error killing pod: " + ending.outcome.failure->message));
  }
  ending.memory.sandbox.reset();
  ending.memory.attached = false;
  ending.memory.ips.clear();
  ending.memory.stops.clear();
  if (ending.action.kind == ActionKind::release) ending.memory.released = true;
  if (ending.action.kind == ActionKind::tear_down) ending.memory.torn_down = true;
}

void end_deletion(Ending& ending) {
  ending.memory.deleted = !ending.outcome.failure;
  if (ending.outcome.failure) ending.memory.sandbox = again(ending.memory.sandbox, 200ms, 10s, ending);
}

}  // namespace

std::vector<Note> finish(Memory& memory, const PodView& pod, const PodAction& action, const ActionOutcome& outcome,
                         Instant now, Mono mono) {
  memory.operations.erase(action.key());
  Ending ending{memory, pod, action, outcome, now, mono, {}};
  switch (action.kind) {
    case ActionKind::prepare_volumes: end_volumes(ending); break;
    case ActionKind::create_sandbox:
    case ActionKind::attach_network: end_sandbox(ending); break;
    case ActionKind::pull_image: end_pull(ending); break;
    case ActionKind::start_container: end_start(ending); break;
    case ActionKind::post_start: end_post_start(ending); break;
    case ActionKind::pre_stop: end_pre_stop(ending); break;
    case ActionKind::signal_container: end_signal(ending); break;
    case ActionKind::remove_sandbox:
    case ActionKind::release:
    case ActionKind::tear_down: end_removal(ending); break;
    case ActionKind::delete_object: end_deletion(ending); break;
    case ActionKind::remove_container:
    case ActionKind::forget: break;
  }
  return std::move(ending.notes);
}

}  // namespace orch::plan::pod
