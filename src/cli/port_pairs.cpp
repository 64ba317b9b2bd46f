#include "cli/port_pairs.h"

#include "base/text.h"
#include "cli/console.h"

namespace orch::cli {

namespace {

std::optional<uint16_t> number(std::string_view text) {
  auto value = parse_uint(text);
  if (!value || *value > 65535) return std::nullopt;
  return static_cast<uint16_t>(*value);
}

Result<uint16_t> container_port(const Value& pod, std::string_view name) {
  for (const Value& container : pod["spec"]["containers"].items()) {
    for (const Value& port : container["ports"].items()) {
      if (port["name"].as_string() == name) return static_cast<uint16_t>(port["containerPort"].as_int());
    }
  }
  return failure("Pod '" + std::string(pod["metadata"]["name"].as_string()) + "' does not have a named port '" +
                 std::string(name) + "'");
}

// A Service's port leads to a port of its pods.
Result<uint16_t> service_port(const Value& service, const Value& pod, std::string_view text) {
  auto wanted = number(text);
  for (const Value& port : service["spec"]["ports"].items()) {
    bool same = wanted ? port["port"].as_int() == *wanted : port["name"].as_string() == text;
    if (!same) continue;
    const Value& target = port["targetPort"];
    // A headless Service has no address of its own to translate.
    if (service["spec"]["clusterIP"] == Value("None") && wanted) return *wanted;
    if (target.is_string()) return container_port(pod, target.as_string());
    return static_cast<uint16_t>(target.as_int(port["port"].as_int()));
  }
  return failure("Service " + std::string(service["metadata"]["name"].as_string()) + " does not have a service port " +
                 std::string(text));
}

}  // namespace

Result<std::vector<PortPair>> resolve_ports(const std::vector<std::string>& texts, const Value& object, const Value& pod) {
  std::vector<PortPair> pairs;
  for (const std::string& text : texts) {
    auto parts = split(text, ':');
    if (parts.size() > 2 || parts.back().empty()) return failure("invalid port format '" + text + "'");
    std::string_view remote_text = parts.back();
    PortPair pair;
    if (object["kind"] == Value("Service")) {
      TRY(pair.remote, service_port(object, pod, remote_text));
    } else if (auto remote = number(remote_text)) {
      pair.remote = *remote;
    } else {
      TRY(pair.remote, container_port(pod, remote_text));
    }
    if (pair.remote == 0) return failure("remote port must be > 0");
    std::string_view local_text = parts[0];
    if (local_text.empty()) {
      pair.local = 0;
    } else if (auto local = number(local_text)) {
      pair.local = *local;
    } else if (parts.size() == 1) {
      pair.local = pair.remote;
    } else {
      return failure("error parsing local port '" + std::string(local_text) + "': not a number");
    }
    pairs.push_back(pair);
  }
  return pairs;
}

}  // namespace orch::cli
