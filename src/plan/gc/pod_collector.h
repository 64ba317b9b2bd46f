#pragma once
// Pods that nobody else will clean up: those of nodes that are gone, those that were deleted before
// they got a node, those on a node that is out of service, and the oldest finished ones where there
// are more than the limit.

#include "plan/core/snapshot.h"

namespace orch::plan {

inline constexpr size_t finished_pods_limit = 12500;
// How long a node has to be missing, from when it was first missed, before its pods are lost: one that
// is made anew (as when its machine is) keeps them.
inline constexpr Duration lost_node_quarantine = 40s;

// One pod; the key with an empty name looks at the number of finished pods.
Plan reconcile_lost_pod(const Snapshot& snapshot, const ObjectKey& key, const Context& context);
Plan collect_finished_pods(const Snapshot& snapshot, size_t limit);
Reconciler pod_collector();

}  // namespace orch::plan
