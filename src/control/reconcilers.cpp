#include "control/reconcilers.h"

#include "plan/endpoints/endpoint_slices.h"
#include "plan/endpoints/endpoints.h"
#include "plan/endpoints/mirrored_slices.h"
#include "plan/gc/garbage_collector.h"
#include "plan/gc/namespace_content.h"
#include "plan/gc/namespace_defaults.h"
#include "plan/gc/pod_collector.h"
#include "plan/nodes/node_health.h"
#include "plan/nodes/pod_cidr.h"
#include "plan/nodes/taint_eviction.h"
#include "plan/workloads/deployment.h"
#include "plan/workloads/replica_set.h"

namespace orch::control {

std::vector<plan::Reconciler> all_reconcilers() {
  return {
      plan::deployment_reconciler(),
      plan::replica_set_reconciler(),
      plan::namespace_reconciler(),
      plan::default_service_account_reconciler(),
      plan::root_ca_reconciler(),
      plan::garbage_collector(),
      plan::pod_collector(),
      plan::endpoint_slice_reconciler(),
      plan::endpoints_reconciler(),
      plan::endpoint_slice_mirroring_reconciler(),
      plan::node_reconciler(),
      plan::pod_cidr_reconciler(),
      plan::taint_eviction_reconciler(),
  };
}

}  // namespace orch::control
