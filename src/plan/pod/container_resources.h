#pragma once
// Requests and limits as linux.resources (kubelet's conversions) and the OOM killer's score. Pure.

#include "plan/pod/container_config.h"

namespace orch::plan::pod {

Value container_resources(const Value& resources);  // of a container's spec
// kubelet's GetContainerOOMScoreAdjust.
int64_t oom_score_adj(const PodView& pod, const ContainerView& container, const Value& allocatable);

}  // namespace orch::plan::pod
