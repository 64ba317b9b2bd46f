#pragma once
// Node IPAM: each Node gets a /24 (IPv6: /64) of the cluster's range as spec.podCIDR, as kube-controller-manager's
// RangeAllocator does. What is taken is what the Nodes say. All Nodes are one key, so that no two get the same range.

#include "plan/core/snapshot.h"

namespace orch::plan {

Plan reconcile_pod_cidrs(const Snapshot& snapshot, const ObjectKey& key, const Context& context);
Reconciler pod_cidr_reconciler();

}  // namespace orch::plan
