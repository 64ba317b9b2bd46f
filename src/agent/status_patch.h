#pragma once
// The difference between the status the API has of a pod and the one this node wants it to have. Pure.

#include "data/value.h"

namespace orch::agent {

// A strategic merge patch of the status subresource; null where there is nothing to say. Fields and
// conditions that are not the node's are not touched.
Value status_patch(const Value& pod, const Value& wanted);

// Must it be told at once (phase, readiness), or may it wait for what comes next?
bool is_urgent(const Value& current, const Value& wanted);

}  // namespace orch::agent
