#pragma once
// Endpoints: the older form of the same, one object with the service's name. At most 1,000 addresses.

#include "plan/core/snapshot.h"

namespace orch::plan {

Plan reconcile_endpoints(const Snapshot& snapshot, const ObjectKey& key, const Context& context);
Reconciler endpoints_reconciler();

}  // namespace orch::plan
