#include "runtime/images/registries.h"

#include <algorithm>
#include <array>
#include <regex>

#include "base/text.h"
#include "data/yaml.h"

namespace orch::runtime::images {

namespace {

Error invalid(std::string message) { return Error::make(Code::invalid, std::move(message)); }

Result<void> check_keys(const Value& object, std::string_view where, std::initializer_list<std::string_view> known) {
  if (object.is_null()) return {};
  if (!object.is_object()) return invalid(std::string(where) + ": not a map");
  for (const Member& member : object.members()) {
    bool fine = std::ranges::find(known, member.name()) != known.end();
    if (!fine) return invalid(std::string(where) + ": unknown key " + quote(member.name()));
  }
  return {};
}

// The file has Go's regular expressions; those people write here mean the same in ECMAScript. The one place
// where the standard library throws.
std::optional<std::regex> compile(const std::string& pattern) {
  try {
    return std::regex(pattern, std::regex::ECMAScript);
  } catch (const std::regex_error&) {
    return std::nullopt;
  }
}

std::string rewrite(const Mirror& mirror, const std::string& repository) {
  for (const auto& [pattern, replacement] : mirror.rewrites) {
    auto expression = compile(pattern);
    if (!expression) continue;
    try {
      if (std::regex_search(repository, *expression)) {
        return std::regex_replace(repository, *expression, replacement, std::regex_constants::format_first_only);
      }
    } catch (const std::regex_error&) {
      continue;  // too complex for this name
    }
  }
  return repository;
}

// Go writes ${1}, ECMAScript $1.
std::string plain_groups(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    bool group = text[i] == '$' && i + 3 < text.size() + 0 && text[i + 1] == '{';
    size_t end = group ? text.find('}', i) : std::string_view::npos;
    if (end == std::string_view::npos) {
      plain += text[i];
      continue;
    }
    plain += '$';
    plain += text.substr(i + 2, end - i - 2);
    i = end;
  }
  return plain;
}

Result<Mirror> mirror_of(const Value& value, const std::string& where) {
  TRY_VOID(check_keys(value, where, {"endpoint", "rewrite"}));
  Mirror mirror;
  for (const Value& endpoint : value["endpoint"].items()) mirror.endpoints.emplace_back(endpoint.as_string());
  for (const Member& member : value["rewrite"].members()) {
    std::string pattern(member.name());
    if (!compile(pattern)) return invalid(where + ".rewrite: " + quote(pattern) + " is no regular expression");
    mirror.rewrites.emplace_back(pattern, plain_groups(member.value.as_string()));
  }
  return mirror;
}

Result<RegistryConfig> config_of(const Value& value, const std::string& where) {
  TRY_VOID(check_keys(value, where, {"auth", "tls"}));
  const Value& auth = value["auth"];
  const Value& tls = value["tls"];
  TRY_VOID(check_keys(auth, where + ".auth", {"username", "password", "auth", "identity_token"}));
  TRY_VOID(check_keys(tls, where + ".tls", {"ca_file", "cert_file", "key_file", "insecure_skip_verify"}));
  RegistryConfig config;
  if (auth.is_object()) {
    RegistryCredentials credentials;
    credentials.username = auth["username"].as_string();
    credentials.password = auth["password"].as_string();
    credentials.identity_token = auth["identity_token"].as_string();
    if (credentials.username.empty() && !auth["auth"].as_string().empty()) {
      auto decoded = decode_base64(auth["auth"].as_string());
      auto parts = decoded.ok() ? split_once(*decoded, ':') : std::nullopt;
      if (!parts) return invalid(where + ".auth.auth: not base64 of user:password");
      credentials.username = parts->first;
      credentials.password = parts->second;
    }
    config.auth = std::move(credentials);
  }
  if (tls.is_object()) {
    config.tls = RegistryTls{std::string(tls["ca_file"].as_string()), std::string(tls["cert_file"].as_string()),
                             std::string(tls["key_file"].as_string()), tls["insecure_skip_verify"].as_bool()};
  }
  return config;
}

// Plain HTTP for a registry on this machine, as containerd and Docker have it; TLS settings say otherwise.
bool is_local(std::string_view host) {
  std::string_view name = host.starts_with('[') ? host.substr(0, host.find(']') + 1) : host.substr(0, host.find(':'));
  return name == "localhost" || name == "[::1]" || name.starts_with("127.");
}

const RegistryConfig& find_config(const Registries& registries, const std::string& host) {
  static const RegistryConfig kNone;
  for (const std::string& key : {host, std::string("*")}) {
    auto found = registries.configs.find(key);
    if (found != registries.configs.end()) return found->second;
  }
  return kNone;
}

// A host, a URL, or one with a path: with the scheme, and "/v2" at the end.
RegistryHost host_at(const Registries& registries, std::string endpoint) {
  RegistryHost host;
  while (endpoint.ends_with('/')) endpoint.pop_back();
  size_t scheme = endpoint.find("://");
  std::string rest = scheme == std::string::npos ? endpoint : endpoint.substr(scheme + 3);
  host.host = rest.substr(0, rest.find('/'));
  host.config = find_config(registries, host.host);
  if (scheme == std::string::npos) {
    bool plain = is_local(host.host) && !host.config.tls;
    endpoint = (plain ? "http://" : "https://") + endpoint;
  }
  host.url = endpoint.ends_with("/v2") ? endpoint : endpoint + "/v2";
  return host;
}

}  // namespace

Result<Registries> parse_registries(std::string_view yaml) {
  auto document = parse_yaml_document(yaml);
  if (!document.ok()) return std::move(document).error().with_code(Code::invalid);
  TRY_VOID(check_keys(*document, "registries.yaml", {"mirrors", "configs"}));
  Registries registries;
  for (const Member& member : (*document)["mirrors"].members()) {
    std::string name(member.name());
    TRY(registries.mirrors[name], mirror_of(member.value, "mirrors." + name));
  }
  for (const Member& member : (*document)["configs"].members()) {
    std::string name(member.name());
    TRY(registries.configs[name], config_of(member.value, "configs." + name));
  }
  return registries;
}

std::vector<RegistryHost> hosts_for(const Registries& registries, const ImageReference& image) {
  std::vector<RegistryHost> hosts;
  for (const std::string& key : {image.registry, std::string("*")}) {
    auto found = registries.mirrors.find(key);
    if (found == registries.mirrors.end()) continue;
    for (const std::string& endpoint : found->second.endpoints) {
      RegistryHost host = host_at(registries, endpoint);
      host.repository = rewrite(found->second, image.repository);
      if (host.host != image.registry) host.ns = image.registry;
      hosts.push_back(std::move(host));
    }
    break;
  }
  // The registry itself comes last.
  RegistryHost own = host_at(registries, image.registry == "docker.io" ? "registry-1.docker.io" : image.registry);
  own.repository = image.repository;
  if (image.registry == "docker.io" && registries.configs.contains("docker.io")) own.config = registries.configs.at("docker.io");
  hosts.push_back(std::move(own));
  return hosts;
}

}  // namespace orch::runtime::images
