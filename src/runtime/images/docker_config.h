#pragma once
// Registry credentials as Docker writes them: the content of a Secret of type kubernetes.io/dockerconfigjson
// (".dockerconfigjson") or kubernetes.io/dockercfg (".dockercfg"). Pure.

#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/image_reference.h"
#include "runtime/image_service.h"

namespace orch::runtime::images {

// Entries that give nothing to log in with are left out. Errors: Code::invalid.
Result<std::vector<RegistryCredentials>> parse_docker_config(std::string_view text);

// Those whose server matches, the longest (most precise) first; in their order otherwise. As kubelet's keyring
// matches (kubernetes.io/docs/concepts/containers/images: "Interpretation of config.json"): each part of the
// host name may be a glob, the port must be equal, a path is a prefix.
std::vector<RegistryCredentials> credentials_for(const ImageReference& image, const std::vector<RegistryCredentials>& all);

}  // namespace orch::runtime::images
