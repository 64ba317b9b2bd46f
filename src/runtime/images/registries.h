#pragma once
// registries.yaml: which servers to ask for a registry's images, and how (docs.k3s.io, "Private Registry
// Configuration": the same file). Pure.
//
//   mirrors:
//     docker.io:
//       endpoint: ["https://mirror.example:5000"]
//       rewrite: {"^library/(.*)": "mirrored/$1"}
//   configs:
//     "mirror.example:5000":
//       auth: {username: u, password: p}
//       tls: {ca_file: /etc/ssl/mirror.pem, cert_file: ..., key_file: ..., insecure_skip_verify: false}

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/image_reference.h"
#include "runtime/image_service.h"

namespace orch::runtime::images {

struct RegistryTls {
  std::string ca_file, cert_file, key_file;
  bool skip_verify = false;
};

struct RegistryConfig {
  std::optional<RegistryCredentials> auth;
  std::optional<RegistryTls> tls;
};

struct Mirror {
  std::vector<std::string> endpoints;                         // URLs, or hosts
  std::vector<std::pair<std::string, std::string>> rewrites;  // regular expression -> replacement
};

struct Registries {
  std::map<std::string, Mirror> mirrors;          // by registry; "*" for every other
  std::map<std::string, RegistryConfig> configs;  // by host[:port]; "*" for every other
};
// "" is an empty configuration. Errors: Code::invalid, with the key that is wrong.
Result<Registries> parse_registries(std::string_view yaml);

// Where to ask for one image, in this order.
struct RegistryHost {
  std::string url;         // "https://mirror.example:5000/v2", the base of every request
  std::string host;        // "mirror.example:5000"
  std::string repository;  // rewritten
  std::string ns;          // of a mirror: the registry it stands for (query ns=), else ""
  RegistryConfig config;
};
std::vector<RegistryHost> hosts_for(const Registries& registries, const ImageReference& image);

}  // namespace orch::runtime::images
