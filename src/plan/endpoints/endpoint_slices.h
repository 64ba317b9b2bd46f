#pragma once
// EndpointSlices of services that select pods. Slices that others made (another managed-by label) and
// services without a selector are left alone.

#include "plan/core/snapshot.h"

namespace orch::plan {

Plan reconcile_endpoint_slices(const Snapshot& snapshot, const ObjectKey& key, const Context& context);
Reconciler endpoint_slice_reconciler();

}  // namespace orch::plan
