#pragma once
// What a decision about a pod looks at (Situation), what is remembered from one to the next (Memory),
// and what it can ask for (PodAction). All values.
//
// Actions are operations: the driver starts each at once, keeps its key in Memory::operations while it
// runs, and calls finish() (outcomes.h) when it has ended. Whatever takes long is one of them; a decision
// asks for none whose key is there already.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "data/value.h"
#include "plan/pod/back_off.h"
#include "plan/pod/pod_view.h"
#include "plan/pod/probe_result.h"
#include "plan/pod/runtime_view.h"

namespace orch::plan::pod {

// An image as the store has it now.
struct ImageView {
  bool name_is_valid = true;
  bool present = false;
  std::string id;  // for status.imageID: "docker.io/library/busybox@sha256:..."
  int stop_signal = 15;  // its configuration's StopSignal
};

// Why the node does not take the pod: "OutOfcpu", ...
struct Rejection {
  std::string reason, message;
};

struct Situation {
  const PodView& pod;
  const SandboxRecord* sandbox = nullptr;  // null: none
  std::map<std::string, ImageView, std::less<>> images;  // by spec.containers[].image
  const ProbeResults* probes = nullptr;
  // By container id, of exited ones: what the terminationMessagePolicy gives.
  std::map<std::string, std::string, std::less<>> termination_messages;
  bool gone = false;  // the API has it no more
  std::optional<Rejection> rejection;
  std::string network_not_ready;  // "": pods can be attached
  uint64_t references_generation = 0;  // grows when something the pod is made from changes
  std::vector<std::string> host_ips;
  Instant now;
  Mono mono;
};

// A failed operation that is tried again: at `at`, or as soon as the references have changed.
struct Retry {
  int failures = 0;
  Mono at{};
  uint64_t generation = 0;
  std::string message;
};

struct ContainerMemory {
  BackOff crash;
  std::optional<uint32_t> back_off_noted;  // the attempt whose BackOff event is recorded
  // Why it does not run though it should: state.waiting. "": nothing in the way.
  std::string waiting_reason, waiting_message;
  std::optional<Retry> retry;              // of a start that failed before there was a container
  std::optional<uint32_t> pulled_for;      // the attempt for which its image has been pulled
  std::set<std::string> post_start_done;   // container ids
  // Found running by a new agent: how it stood then holds until its probes have spoken.
  std::string adopted_id;
  bool adopted_started = false, adopted_ready = false;
};

struct PullMemory {
  BackOff back_off;
  Instant failed_at;
  std::string error;
  bool noted = false;  // its BackOff event
};

// A container on its way out.
struct Stop {
  std::string why;   // of the Killing event
  Mono begun;
  Duration grace{};  // from then on
  bool hook_begun = false, hook_ended = false;
  std::optional<Mono> asked{};   // SIGTERM sent
  std::optional<Mono> killed{};  // SIGKILL sent
};

struct Memory {
  Value status;  // as last decided; at first what the API (or the checkpoint) has
  std::set<std::string, std::less<>> operations;
  bool volumes_ready = false;
  uint64_t volumes_generation = 0;
  std::optional<Retry> volumes, sandbox;
  uint32_t sandbox_attempt = 0;  // of the next one
  bool attached = false;
  std::vector<std::string> ips;
  std::map<std::string, ContainerMemory, std::less<>> containers;  // by name
  std::map<std::string, PullMemory, std::less<>> pulls;            // by reference
  std::map<std::string, Stop, std::less<>> stops;                  // by container id
  bool network_noted = false;
  bool released = false;   // a finished pod's sandbox and address are gone
  bool torn_down = false;  // nothing of the pod is left on the node
  bool deleted = false;    // the API was told; finalizers may hold the object
};

enum class ActionKind : uint8_t {
  prepare_volumes,   // make or refresh what is on disk for the pod
  create_sandbox,
  remove_sandbox,    // a dead one
  attach_network,
  pull_image,
  start_container,
  post_start,        // hooks
  pre_stop,
  signal_container,
  remove_container,  // a dead one, with its log
  release,           // of a finished pod: sandbox and address; files stay
  tear_down,         // all of it, files too
  delete_object,     // from the API, grace 0
  forget,            // the driver's worker ends
};
std::string_view text_of(ActionKind kind);

struct PodAction {
  ActionKind kind = ActionKind::forget;
  std::string container{};  // name
  std::string id{};         // of an existing container
  std::string image{};
  uint32_t attempt = 0;
  int signal = 0;
  Duration limit{};       // of hooks

  std::string key() const;  // what may not run twice at the same time
};

}  // namespace orch::plan::pod
