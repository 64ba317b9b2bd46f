#pragma once
// Which containers of a pod that goes on are started, restarted and forgotten, and in which order.

#include "plan/pod/pass.h"

namespace orch::plan::pod {

void plan_containers(Pass& pass);

// Has one of the main containers been started in the present sandbox? Then init containers are past.
bool is_initialized(const std::vector<ContainerFacts>& facts);

}  // namespace orch::plan::pod
