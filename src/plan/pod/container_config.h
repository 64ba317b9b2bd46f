#pragma once
// The OCI runtime configuration of a container, from its pod, its image and what was resolved. Pure.
//
// Namespaces that belong to the sandbox (network, ipc, uts, a shared pid) are the runtime's to add; here
// are those of the container. linux.seccomp is left out: `seccomp` says which profile is wanted.

#include <string>
#include <vector>

#include "plan/pod/accounts.h"
#include "plan/pod/environment.h"
#include "plan/pod/node_paths.h"

namespace orch::plan::pod {

struct ContainerConfigRequest {
  const PodView& pod;
  const ContainerView& container;
  const ResolvedReferences& references;
  const Surroundings& around;
  const NodePaths& paths;
  const Value& image_config;  // the OCI image configuration's document
  const Accounts& accounts;
  uint32_t attempt = 0;
};

enum class Seccomp : uint8_t { unconfined, runtime_default, localhost };

struct ContainerConfig {
  Value config;
  Seccomp seccomp = Seccomp::unconfined;
  std::string seccomp_file;  // of localhost: below the node's seccomp directory
};

// Code::invalid with the text for CreateContainerConfigError.
Result<ContainerConfig> make_container_config(const ContainerConfigRequest& request);

// linux.resources of a pod's own cgroup: the sum of its containers'; null: nothing to limit.
Value pod_resources(const PodView& pod);

// The directory or file of the host that a volume is: "" for one that this node cannot mount.
std::string volume_source(const PodView& pod, const NodePaths& paths, const Value& volume);

}  // namespace orch::plan::pod
