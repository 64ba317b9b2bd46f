#pragma once
// What is known of each container of a pod: the runtime's records where it has them, else what the last
// status says (the sandbox died, or the machine was restarted).

#include <optional>
#include <vector>

#include "plan/pod/situation.h"

namespace orch::plan::pod {

// How a container ended.
struct Ended {
  int exit_code = 0;
  Instant at;
};

struct ContainerFacts {
  const ContainerView* view = nullptr;
  const ContainerRecord* record = nullptr;    // the newest one; of a dead sandbox too
  const ContainerRecord* previous = nullptr;  // the one before it, if it is still there
  bool live = false;          // created or running in a living sandbox
  bool here = false;          // has a record in the living sandbox
  bool lost = false;          // ran when last seen, and nobody knows what became of it
  std::optional<Ended> ended;  // not live, and did run before
  bool started = false;       // runs, startup probe passed, post-start hook done
  bool ready = false;
  uint32_t restarts = 0;      // status.restartCount
  uint32_t next_attempt = 0;

  bool succeeded() const { return ended && ended->exit_code == 0; }
  // Would it be started (again), if the pod goes on?
  bool wants_start() const;
};

// kubelet's hash of what of a container's spec cannot change while it runs: its name and image.
std::string spec_hash(const ContainerView& container);
// The remembered status of a container; null: none.
const Value& remembered_status(const Value& pod_status, std::string_view container);

// In the order of pod.containers().
std::vector<ContainerFacts> gather_facts(const Situation& situation, const Memory& memory);

}  // namespace orch::plan::pod
