#pragma once
// The downward API: what a container is told of its own pod. Pure.

#include <string>
#include <vector>

#include "base/result.h"
#include "plan/pod/pod_view.h"

namespace orch::plan::pod {

// What of the node and the sandbox is needed.
struct Surroundings {
  std::vector<std::string> pod_ips, host_ips;
  Value allocatable;  // node.status.allocatable: stands in for limits that are not set
};

// An ObjectFieldSelector's path. Code::invalid for one that is not supported.
Result<std::string> field_value(const PodView& pod, const Surroundings& around, std::string_view path);
// A ResourceFieldSelector; `container` is the one it is in, unless it names another.
Result<std::string> resource_value(const PodView& pod, const Surroundings& around, std::string_view container,
                                   const Value& selector);

}  // namespace orch::plan::pod
