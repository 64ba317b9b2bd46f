#pragma once
// The mounts of a container: the usual pseudo file systems, the pod's files, its volumes. Pure.

#include "plan/pod/container_config.h"

namespace orch::plan::pod {

Result<std::vector<Value>> container_mounts(const ContainerConfigRequest& request, const Environment& environment);

}  // namespace orch::plan::pod
