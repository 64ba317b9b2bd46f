#pragma once
// ReplicaSet: keeps the wanted number of pods of a template. Creates in slow-start batches, deletes
// by rank, adopts and releases pods by their labels, and reports what it counts.

#include "plan/core/snapshot.h"

namespace orch::plan {

Plan reconcile_replica_set(const Snapshot& snapshot, const ObjectKey& key, const Context& context);
Reconciler replica_set_reconciler();

}  // namespace orch::plan
