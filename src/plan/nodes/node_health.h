#pragma once
// Node lifecycle: a node that has not renewed its Lease for 40 seconds, by our own clock, is marked
// unknown; taints follow its conditions; its pods count as not ready.

#include "plan/core/snapshot.h"

namespace orch::plan {

inline constexpr Duration node_grace = 40s;
inline constexpr Duration node_start_grace = 60s;  // for a node that never reported

Plan reconcile_node(const Snapshot& snapshot, const ObjectKey& key, const Context& context);
Reconciler node_reconciler();

}  // namespace orch::plan
