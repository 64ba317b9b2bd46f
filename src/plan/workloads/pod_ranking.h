#pragma once
// Which pods a ReplicaSet deletes first when it has too many, in the order kubectl users expect:
// unassigned before assigned, Pending before Unknown before Running, not ready before ready, lower
// deletion cost, more siblings on the same node, ready for a shorter time, more restarts, younger.
// Ages are compared in powers of two, so that pods of about the same age go in random order (of uid).

#include <vector>

#include "base/time.h"
#include "data/value.h"

namespace orch::plan {

// `count` of `pods` to delete. `related`: the pods of all ReplicaSets of the same owner.
std::vector<Value> choose_pods_to_delete(const std::vector<Value>& pods, const std::vector<Value>& related,
                                         size_t count, Instant now);

}  // namespace orch::plan
