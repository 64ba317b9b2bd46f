#pragma once
// Deployment: rolls a pod template out over ReplicaSets, one for each revision of the template.

#include "plan/core/snapshot.h"

namespace orch::plan {

Plan reconcile_deployment(const Snapshot& snapshot, const ObjectKey& key, const Context& context);
Reconciler deployment_reconciler();

}  // namespace orch::plan
