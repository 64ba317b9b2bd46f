#pragma once
// The garbage collector: what becomes of objects whose owners go. A key names an object of any type.
//
//   background  the owner is gone: dependents without another owner are deleted
//   foreground  the owner waits (finalizer foregroundDeletion) until no dependent that blocks it is left
//   orphan      the owner waits (finalizer orphan) until no dependent names it any more
//
// An owner counts as gone only once the API itself says so (a Guard): the snapshot's types do not
// move in step, and a dependent may be seen before its owner.

#include "plan/core/snapshot.h"

namespace orch::plan {

Plan reconcile_garbage(const Snapshot& snapshot, const ObjectKey& key, const Context& context);
Reconciler garbage_collector();

}  // namespace orch::plan
