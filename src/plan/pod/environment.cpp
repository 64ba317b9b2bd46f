#include "plan/pod/environment.h"

#include <algorithm>

#include "base/text.h"

namespace orch::plan::pod {

namespace {

Error invalid(std::string message) { return Error::make(Code::invalid, std::move(message)); }

const std::string* find(const Environment& environment, std::string_view name) {
  auto at = std::ranges::find_if(environment, [&](const auto& entry) { return entry.first == name; });
  return at == environment.end() ? nullptr : &at->second;
}

void set(Environment& environment, std::string name, std::string value) {
  auto at = std::ranges::find_if(environment, [&](const auto& entry) { return entry.first == name; });
  if (at == environment.end()) {
    environment.emplace_back(std::move(name), std::move(value));
  } else {
    at->second = std::move(value);
  }
}

std::string variable_name(std::string_view text) { return replace_all(to_upper(text), "-", "_"); }

// Docker's links: WEB_SERVICE_HOST, WEB_PORT_80_TCP_ADDR, ...
void add_service(const Value& service, Environment& environment) {
  const Value& spec = service["spec"];
  std::string_view ip = spec["clusterIP"].as_string();
  if (ip.empty() || ip == "None" || spec["ports"].empty()) return;
  const std::string host = ip.find(':') == std::string_view::npos ? std::string(ip) : "[" + std::string(ip) + "]";
  const std::string prefix = variable_name(service["metadata"]["name"].as_string());
  set(environment, prefix + "_SERVICE_HOST", std::string(ip));
  set(environment, prefix + "_SERVICE_PORT", std::to_string(spec["ports"].at(0)["port"].as_int()));
  for (const Value& port : spec["ports"].items())
    if (!port["name"].as_string().empty())
      set(environment, prefix + "_SERVICE_PORT_" + variable_name(port["name"].as_string()), std::to_string(port["port"].as_int()));
  bool first = true;
  for (const Value& port : spec["ports"].items()) {
    const std::string number = std::to_string(port["port"].as_int());
    const std::string protocol(port["protocol"].as_string("TCP"));
    const std::string url = to_lower(protocol) + "://" + host + ":" + number;
    const std::string base = prefix + "_PORT_" + number + "_" + to_upper(protocol);
    if (std::exchange(first, false)) set(environment, prefix + "_PORT", url);
    set(environment, base, url);
    set(environment, base + "_PROTO", to_lower(protocol));
    set(environment, base + "_PORT", number);
    set(environment, base + "_ADDR", std::string(ip));
  }
}

Environment service_environment(const PodView& pod, const ResolvedReferences& references) {
  Environment environment;
  const bool links = pod.spec()["enableServiceLinks"].as_bool(true);
  auto is_master = [](const Value& service) {
    return service["metadata"]["name"].as_string() == "kubernetes" && service["metadata"]["namespace"].as_string() == "default";
  };
  // The namespace's own Services win over default/kubernetes.
  for (const Value& service : references.services)
    if (is_master(service)) add_service(service, environment);
  for (const Value& service : references.services)
    if (links && !is_master(service) && service["metadata"]["namespace"].as_string() == pod.ns()) add_service(service, environment);
  return environment;
}

struct Source {
  std::string_view kind;   // "ConfigMap"
  std::string_view lower;  // "configmap"
  bool encoded;            // base64
};
constexpr Source config_map{"ConfigMap", "configmap", false}, secret{"Secret", "secret", true};

const Value* find_object(const ResolvedReferences& references, const Source& source, std::string_view name) {
  const auto& all = source.encoded ? references.secrets : references.config_maps;
  auto at = all.find(name);
  return at == all.end() || at->second.is_null() ? nullptr : &at->second;
}

std::string decoded(const Source& source, const Value& value) {
  if (!source.encoded) return std::string(value.as_string());
  auto bytes = decode_base64(value.as_string());
  return bytes.ok() ? std::move(bytes).value() : std::string();
}

Result<void> add_all_of(const Source& source, const Value& reference, std::string_view prefix,
                        const ResolvedReferences& references, Environment& environment) {
  std::string_view name = reference["name"].as_string();
  const Value* object = find_object(references, source, name);
  if (!object) {
    if (reference["optional"].as_bool()) return {};
    return invalid(std::string(source.lower) + " " + quote(name) + " not found");
  }
  for (const Member& member : (*object)["data"].members())
    set(environment, std::string(prefix) + std::string(member.name()), decoded(source, member.value));
  return {};
}

// nullopt: optional, and not there.
Result<std::optional<std::string>> key_of(const PodView& pod, const Source& source, const Value& selector,
                                          const ResolvedReferences& references) {
  std::string_view name = selector["name"].as_string(), key = selector["key"].as_string();
  const bool optional = selector["optional"].as_bool();
  const Value* object = find_object(references, source, name);
  if (!object) {
    if (optional) return std::optional<std::string>();
    return invalid(std::string(source.lower) + " " + quote(name) + " not found");
  }
  const Value* found = (*object)["data"].find(key);
  if (found) return std::optional<std::string>(decoded(source, *found));
  if (optional) return std::optional<std::string>();
  return invalid("couldn't find key " + std::string(key) + " in " + std::string(source.kind) + " " + std::string(pod.ns()) + "/" +
                 std::string(name));
}

Result<std::optional<std::string>> value_from(const PodView& pod, const ContainerView& container, const Value& from,
                                              const ResolvedReferences& references, const Surroundings& around) {
  if (!from["configMapKeyRef"].is_null()) return key_of(pod, config_map, from["configMapKeyRef"], references);
  if (!from["secretKeyRef"].is_null()) return key_of(pod, secret, from["secretKeyRef"], references);
  if (!from["fieldRef"].is_null()) {
    TRY(std::string value, field_value(pod, around, from["fieldRef"]["fieldPath"].as_string()));
    return std::optional<std::string>(std::move(value));
  }
  if (!from["resourceFieldRef"].is_null()) {
    TRY(std::string value, resource_value(pod, around, container.name(), from["resourceFieldRef"]));
    return std::optional<std::string>(std::move(value));
  }
  return std::optional<std::string>("");
}

}  // namespace

std::string expand(std::string_view text, const Environment& environment) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    if (text[i + 1] == '$') {
      out += '$';
      ++i;
      continue;
    }
    size_t close = text[i + 1] == '(' ? text.find(')', i + 2) : std::string_view::npos;
    if (close == std::string_view::npos) {
      out += '$';
      continue;
    }
    const std::string* value = find(environment, text.substr(i + 2, close - i - 2));
    out += value ? *value : std::string(text.substr(i, close - i + 1));
    i = close;
  }
  return out;
}

Result<Environment> container_environment(const PodView& pod, const ContainerView& container,
                                          const ResolvedReferences& references, const Surroundings& around) {
  const Environment services = service_environment(pod, references);
  Environment own;
  for (const Value& from : container.spec["envFrom"].items()) {
    std::string_view prefix = from["prefix"].as_string();
    if (!from["configMapRef"].is_null()) TRY_VOID(add_all_of(config_map, from["configMapRef"], prefix, references, own));
    if (!from["secretRef"].is_null()) TRY_VOID(add_all_of(secret, from["secretRef"], prefix, references, own));
  }
  for (const Value& variable : container.spec["env"].items()) {
    std::string name(variable["name"].as_string());
    if (!variable["valueFrom"].is_null()) {
      TRY(auto value, value_from(pod, container, variable["valueFrom"], references, around));
      if (value) set(own, name, std::move(*value));
      continue;
    }
    // Own variables before this one, then the Services'.
    Environment known = services;
    for (const auto& [key, value] : own) set(known, key, value);
    set(own, name, expand(variable["value"].as_string(), known));
  }
  Environment all = services;
  for (auto& [name, value] : own) set(all, name, std::move(value));
  return all;
}

}  // namespace orch::plan::pod
