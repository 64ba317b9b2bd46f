#pragma once
// What becomes of an action: the driver says how it ended, the memory is brought up to date.

#include <optional>
#include <string>
#include <vector>

#include "plan/core/plan.h"
#include "plan/pod/situation.h"

namespace orch::plan::pod {

struct Failure {
  // state.waiting.reason where it is about a container ("CreateContainerConfigError"), or "".
  std::string reason;
  std::string message;
  std::string subject;  // prepare_volumes: the volume
};

struct ActionOutcome {
  std::optional<Failure> failure;
  std::string id;                // start_container: of the container
  std::string start_error;       // start_container: there is a container, but it never ran
  std::vector<std::string> ips;  // attach_network
  int64_t image_bytes = 0;       // pull_image
  Duration took{};
  uint64_t generation = 0;       // of the references that prepare_volumes and start_container used
};

// The action has ended. Returns the events that tell of it.
std::vector<Note> finish(Memory& memory, const PodView& pod, const PodAction& action, const ActionOutcome& outcome,
                         Instant now, Mono mono);

}  // namespace orch::plan::pod
