#pragma once
// The one table of all reconcilers that the driver runs.

#include <vector>

#include "plan/core/snapshot.h"

namespace orch::control {

std::vector<plan::Reconciler> all_reconcilers();

}  // namespace orch::control
