#pragma once
// The decision about one pod on its node: a pure function of what is there and what is remembered.

#include <optional>
#include <vector>

#include "plan/core/plan.h"
#include "plan/pod/situation.h"

namespace orch::plan::pod {

struct PodPlan {
  std::vector<PodAction> actions;  // to be started now, all of them, in this order
  Value status;                    // the whole status as this node sees it
  std::vector<Note> notes;         // to be recorded
  std::optional<Duration> next_look;  // at the latest; whatever changes comes earlier
};

// `memory` is read and brought up to date: the actions asked for are in its operations.
PodPlan reconcile(const Situation& situation, Memory& memory);

// A new agent finds the pod's sandbox: hooks that have run, readiness and addresses are as the status has them.
void adopt(const SandboxRecord& sandbox, Memory& memory);

// One line an action: "start main #2", "signal main 15", for golden cases and the log.
std::string format_action(const PodAction& action);

}  // namespace orch::plan::pod
