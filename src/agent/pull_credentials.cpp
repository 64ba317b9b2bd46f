#include "agent/pull_credentials.h"

#include "base/text.h"
#include "runtime/images/docker_config.h"

namespace orch::agent {

std::vector<runtime::RegistryCredentials> pull_credentials(const plan::pod::PodView& pod,
                                                           const plan::pod::ResolvedReferences& references) {
  std::vector<runtime::RegistryCredentials> all;
  for (const Value& reference : pod.spec()["imagePullSecrets"].items()) {
    auto secret = references.secrets.find(reference["name"].as_string());
    if (secret == references.secrets.end()) continue;
    const Value& data = secret->second["data"];
    const bool modern = data.has(".dockerconfigjson");
    auto text = decode_base64(data[modern ? ".dockerconfigjson" : ".dockercfg"].as_string());
    if (!text.ok()) continue;
    auto parsed = runtime::images::parse_docker_config(text.value());
    if (!parsed.ok()) continue;
    for (runtime::RegistryCredentials& credentials : *parsed) all.push_back(std::move(credentials));
  }
  return all;
}

}  // namespace orch::agent
