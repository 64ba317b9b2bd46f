#pragma once
// Evicts pods from nodes with NoExecute taints that they do not tolerate, at once or when their
// tolerationSeconds are over.

#include <optional>

#include "plan/core/snapshot.h"

namespace orch::plan {

// When the pod has to go; nullopt: it may stay.
std::optional<Instant> eviction_time(const Value& pod, const Value& node);
Plan reconcile_eviction(const Snapshot& snapshot, const ObjectKey& key, const Context& context);
Reconciler taint_eviction_reconciler();

}  // namespace orch::plan
