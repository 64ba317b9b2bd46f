#include "plan/pod/references.h"

namespace orch::plan::pod {

namespace {

void add_env(const Value& container, References& references) {
  auto add = [](std::set<std::string>& names, const Value& source) {
    if (!source["name"].as_string().empty()) names.emplace(source["name"].as_string());
  };
  for (const Value& from : container["envFrom"].items()) {
    add(references.config_maps, from["configMapRef"]);
    add(references.secrets, from["secretRef"]);
  }
  for (const Value& variable : container["env"].items()) {
    add(references.config_maps, variable["valueFrom"]["configMapKeyRef"]);
    add(references.secrets, variable["valueFrom"]["secretKeyRef"]);
  }
}

void add_volume(const Value& volume, References& references) {
  auto add = [](std::set<std::string>& names, const Value& name) {
    if (!name.as_string().empty()) names.emplace(name.as_string());
  };
  add(references.config_maps, volume["configMap"]["name"]);
  add(references.secrets, volume["secret"]["secretName"]);
  for (const Value& source : volume["projected"]["sources"].items()) {
    add(references.config_maps, source["configMap"]["name"]);
    add(references.secrets, source["secret"]["name"]);
  }
}

void add_tokens(const PodView& pod, const Value& volume, References& references) {
  for (const Value& source : volume["projected"]["sources"].items()) {
    const Value& token = source["serviceAccountToken"];
    if (token.is_null()) continue;
    TokenWish wish;
    wish.key = std::string(volume["name"].as_string()) + "/" + std::string(token["path"].as_string());
    wish.account = pod.spec()["serviceAccountName"].as_string("default");
    wish.pod_name = pod.name();
    wish.pod_uid = pod.uid();
    wish.audience = token["audience"].as_string();
    wish.expiration_seconds = token["expirationSeconds"].as_int(3600);
    references.tokens.push_back(std::move(wish));
  }
}

}  // namespace

References references_of(const PodView& pod) {
  References references;
  references.needs_services = pod.spec()["enableServiceLinks"].as_bool(true);
  for (const ContainerView& container : pod.containers()) add_env(container.spec, references);
  for (const Value& volume : pod.spec()["volumes"].items()) {
    add_volume(volume, references);
    add_tokens(pod, volume, references);
  }
  for (const Value& secret : pod.spec()["imagePullSecrets"].items())
    if (!secret["name"].as_string().empty()) references.secrets.emplace(secret["name"].as_string());
  return references;
}

}  // namespace orch::plan::pod
