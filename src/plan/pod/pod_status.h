#pragma once
// status of a Pod as its node reports it: phase, conditions, container statuses, addresses; kubelet's
// generateAPIPodStatus.

#include <optional>

#include "plan/pod/pass.h"

namespace orch::plan::pod {

// Why a pod is at its end whatever its containers say: reason and message of the status.
struct Verdict {
  std::string reason, message;
};

// How the pod stands.
struct Standing {
  bool ending = false;      // it runs nothing new
  bool all_ended = false;   // and no container is left
  std::optional<Verdict> failed;  // phase Failed
};

Value make_status(const Pass& pass, const Standing& standing);

// state, lastState, ready, ... of one container.
Value make_container_status(const Pass& pass, const ContainerFacts& container, const Standing& standing);
// The conditions that a node keeps, then those of others as the API has them.
Value make_conditions(const Pass& pass, std::string_view phase, const Value& init_statuses);

bool is_terminal(std::string_view phase);  // Succeeded, Failed

}  // namespace orch::plan::pod
