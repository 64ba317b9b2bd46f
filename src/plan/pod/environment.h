#pragma once
// The environment of a container: Services of its namespace, envFrom, env; kubelet's
// makeEnvironmentVariables. Pure.

#include <string>
#include <utility>
#include <vector>

#include "plan/pod/downward.h"
#include "plan/pod/references.h"

namespace orch::plan::pod {

using Environment = std::vector<std::pair<std::string, std::string>>;  // in order, each name once

// Code::invalid with the text for CreateContainerConfigError.
Result<Environment> container_environment(const PodView& pod, const ContainerView& container,
                                          const ResolvedReferences& references, const Surroundings& around);

// $(NAME) of known names; $$ is a dollar sign; unknown ones stay as they are
// (k8s.io/kubernetes/third_party/forked/golang/expansion).
std::string expand(std::string_view text, const Environment& environment);

}  // namespace orch::plan::pod
