#pragma once
// EndpointSlices of Endpoints that somebody wrote by hand, for a service without a selector: readers
// need to look at slices only. Not mirrored: Endpoints that say so (label skip-mirror), those that are
// a lock of leader election, and those without a service.

#include "plan/core/snapshot.h"

namespace orch::plan {

inline constexpr size_t most_mirrored_addresses = 1000;  // of one subset

Plan reconcile_mirrored_slices(const Snapshot& snapshot, const ObjectKey& key, const Context& context);
Reconciler endpoint_slice_mirroring_reconciler();

}  // namespace orch::plan
