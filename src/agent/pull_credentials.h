#pragma once
// Credentials for registries out of a pod's imagePullSecrets. Pure.

#include <vector>

#include "plan/pod/references.h"
#include "runtime/image_service.h"

namespace orch::agent {

// kubernetes.io/dockerconfigjson and kubernetes.io/dockercfg; what cannot be read is left out, as kubelet does.
std::vector<runtime::RegistryCredentials> pull_credentials(const plan::pod::PodView& pod,
                                                           const plan::pod::ResolvedReferences& references);

}  // namespace orch::agent
