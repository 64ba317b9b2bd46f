#include "control/reconcilers.h"

#include "plan/workloads/deployment.h"
#include "plan/workloads/replica_set.h"

namespace orch::control {

std::vector<plan::Reconciler> all_reconcilers() {
  return {
      plan::deployment_reconciler(),
      plan::replica_set_reconciler(),
  };
}

}  // namespace orch::control
