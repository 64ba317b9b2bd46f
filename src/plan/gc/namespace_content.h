#pragma once
// A namespace that is being deleted: deletes all it contains, of every type, reports what is left,
// and lets it go once it is empty.

#include "plan/core/snapshot.h"

namespace orch::plan {

Plan reconcile_namespace(const Snapshot& snapshot, const ObjectKey& key, const Context& context);
Reconciler namespace_reconciler();

}  // namespace orch::plan
