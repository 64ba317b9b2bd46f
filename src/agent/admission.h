#pragma once
// Does this node take a pod that was bound to it? kubelet's admission: what the scheduler could not know,
// or did not look at (pods with spec.nodeName set by hand). Pure.

#include <optional>
#include <vector>

#include "plan/pod/situation.h"

namespace orch::agent {

// `others`: the pods that are on the node already, finished ones left out. nullopt: it does.
std::optional<plan::pod::Rejection> admit(const Value& pod, const Value& node, const std::vector<Value>& others);

}  // namespace orch::agent
