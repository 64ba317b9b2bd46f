#include "agent/pull_credentials.h"

#include "base/text.h"
#include "data/json.h"

namespace orch::agent {

namespace {

// {"username", "password", "auth": base64("user:password"), "identitytoken", "registrytoken"}
runtime::RegistryCredentials credentials_of(std::string_view server, const Value& entry) {
  runtime::RegistryCredentials credentials;
  credentials.server = server;
  credentials.username = entry["username"].as_string();
  credentials.password = entry["password"].as_string();
  credentials.identity_token = entry["identitytoken"].as_string();
  credentials.registry_token = entry["registrytoken"].as_string();
  auto auth = decode_base64(entry["auth"].as_string());
  if (!auth.ok()) return credentials;
  if (auto parts = split_once(auth.value(), ':')) {
    credentials.username = parts->first;
    credentials.password = parts->second;
  }
  return credentials;
}

}  // namespace

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
    auto parsed = parse_json(text.value());
    if (!parsed.ok()) continue;
    const Value& servers = modern ? parsed.value()["auths"] : parsed.value();
    for (const Member& server : servers.members()) all.push_back(credentials_of(server.name(), server.value));
  }
  return all;
}

}  // namespace orch::agent
