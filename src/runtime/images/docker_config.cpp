#include "runtime/images/docker_config.h"

#include <algorithm>

#include "base/text.h"
#include "data/json.h"

namespace orch::runtime::images {

namespace {

// "host[:port]" and a path without its slashes, of "https://host:port/v1/" and the like.
struct Server {
  std::string_view host, port, path;
};

Server server_of(std::string_view text) {
  for (std::string_view scheme : {"https://", "http://"}) {
    if (text.starts_with(scheme)) text.remove_prefix(scheme.size());
  }
  Server server;
  if (auto parts = split_once(text, '/')) {
    text = parts->first;
    server.path = parts->second;
  }
  while (server.path.ends_with('/')) server.path.remove_suffix(1);
  // What Docker calls its own registry's API versions is no path of an image.
  if (server.path == "v1" || server.path == "v2") server.path = {};
  size_t colon = text.rfind(':');
  if (colon != std::string_view::npos && !text.ends_with(']')) {
    server.port = text.substr(colon + 1);
    text = text.substr(0, colon);
  }
  server.host = text;
  if (server.host == "index.docker.io" || server.host == "registry-1.docker.io") server.host = "docker.io";
  return server;
}

// Go's path.Match, as far as host names need it: '*' and '?'.
bool matches_glob(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t]) && pattern[p] != '*') {
      ++p, ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool matches_host(std::string_view pattern, std::string_view host) {
  auto wanted = split(pattern, '.');
  auto given = split(host, '.');
  if (wanted.size() != given.size()) return false;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (!matches_glob(wanted[i], given[i])) return false;
  }
  return true;
}

bool matches(const Server& server, const ImageReference& image) {
  Server wanted = server_of(image.registry);
  if (!matches_host(server.host, wanted.host) || server.port != wanted.port) return false;
  if (server.path.empty()) return true;
  std::string_view repository = image.repository;
  return repository.starts_with(server.path) &&
         (repository.size() == server.path.size() || repository[server.path.size()] == '/');
}

Result<RegistryCredentials> credentials_of(std::string_view server, const Value& entry) {
  RegistryCredentials credentials;
  credentials.server = server;
  credentials.username = entry["username"].as_string();
  credentials.password = entry["password"].as_string();
  credentials.identity_token = entry["identitytoken"].as_string();
  credentials.registry_token = entry["registrytoken"].as_string();
  std::string_view auth = entry["auth"].as_string();
  if (credentials.username.empty() && !auth.empty()) {
    auto decoded = decode_base64(trim(auth));
    if (!decoded.ok()) return Error::make(Code::invalid, "auth of " + quote(server) + " is not base64");
    auto parts = split_once(*decoded, ':');
    if (!parts) return Error::make(Code::invalid, "auth of " + quote(server) + " is not user:password");
    credentials.username = parts->first;
    credentials.password = parts->second;
    while (credentials.password.ends_with('\0')) credentials.password.pop_back();
  }
  return credentials;
}

}  // namespace

Result<std::vector<RegistryCredentials>> parse_docker_config(std::string_view text) {
  JsonOptions options;
  options.max_depth = 100;
  auto document = parse_json(text, options);
  if (!document.ok()) return std::move(document).error().with_code(Code::invalid).with_context("docker config");
  if (!document->is_object()) return Error::make(Code::invalid, "docker config: not a JSON object");
  // .dockercfg is the map itself.
  const Value& servers = document->has("auths") ? (*document)["auths"] : *document;
  std::vector<RegistryCredentials> all;
  for (const Member& member : servers.members()) {
    if (!member.value.is_object()) continue;
    auto credentials = credentials_of(member.name(), member.value);
    if (!credentials.ok()) return std::move(credentials).error().with_context("docker config");
    bool useful = !credentials->username.empty() || !credentials->identity_token.empty() || !credentials->registry_token.empty();
    if (useful) all.push_back(std::move(*credentials));
  }
  return all;
}

std::vector<RegistryCredentials> credentials_for(const ImageReference& image, const std::vector<RegistryCredentials>& all) {
  std::vector<RegistryCredentials> fitting;
  for (const RegistryCredentials& credentials : all) {
    if (matches(server_of(credentials.server), image)) fitting.push_back(credentials);
  }
  std::ranges::stable_sort(fitting, [](const RegistryCredentials& a, const RegistryCredentials& b) {
    return a.server.size() > b.server.size();
  });
  return fitting;
}

}  // namespace orch::runtime::images
