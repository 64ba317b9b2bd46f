#include "api/proxy.h"

#include "base/text.h"
#include "client/relay.h"
#include "wire/tls.h"

namespace orch::api {

using loop::Task;

namespace {

Error unavailable(std::string message) { return Error::make(Code::unavailable, std::move(message)); }

std::optional<uint16_t> port_number(std::string_view text) {
  auto port = parse_uint(text);
  if (!port || *port == 0 || *port > 65535) return std::nullopt;
  return static_cast<uint16_t>(*port);
}

// The name of the service's port that is meant. A service's only port needs no name.
Result<std::string> service_port_name(const Value& service, const ProxyName& name) {
  const Value& ports = service["spec"]["ports"];
  if (name.port.empty() && ports.size() == 1) return std::string(ports.at(0)["name"].as_string());
  auto number = parse_int(name.port);
  if (!number) return name.port;
  for (const Value& port : ports.items()) {
    if (port["port"].as_int() == *number) return std::string(port["name"].as_string());
  }
  return unavailable("no service port " + name.port + " found for service " + quote(name.name));
}

}  // namespace

ProxyPath proxy_path(std::string_view target, size_t segments) {
  ProxyPath result;
  auto question = std::min(target.find('?'), target.size());
  result.query = target.substr(question);
  std::string_view path = target.substr(0, question);
  size_t at = 0;
  for (size_t i = 0; i < segments && at < path.size(); ++i) {
    at = path.find_first_not_of('/', at);
    at = at == std::string_view::npos ? path.size() : std::min(path.find('/', at), path.size());
  }
  result.base = path.substr(0, at);
  result.path = path.substr(at);
  return result;
}

Result<ProxyName> parse_proxy_name(std::string_view text) {
  auto parts = split(text, ':');
  ProxyName name{"http", "", ""};
  if (parts.size() == 3) {
    if (parts[0] != "" && parts[0] != "http" && parts[0] != "https") {
      return Error::make(Code::bad_request, "invalid proxy request " + quote(text) + ": the scheme must be http or https");
    }
    if (!parts[0].empty()) name.scheme = parts[0];
    name.name = parts[1];
    name.port = parts[2];
  } else if (parts.size() <= 2) {
    name.name = parts[0];
    if (parts.size() == 2) name.port = parts[1];
  }
  if (name.name.empty()) return Error::make(Code::bad_request, "invalid proxy request " + quote(text));
  return name;
}

Result<ProxyAddress> pod_address(const Value& pod, const ProxyName& name) {
  ProxyAddress address;
  address.tls = name.scheme == "https";
  address.host = pod["status"]["podIP"].as_string();
  if (address.host.empty()) return Error::make(Code::bad_request, "address not allowed");
  address.port = address.tls ? 443 : 80;
  if (!name.port.empty()) {
    auto port = port_number(name.port);
    if (!port) return Error::make(Code::bad_request, "invalid pod request " + quote(name.name + ":" + name.port));
    address.port = *port;
    return address;
  }
  for (const Value& container : pod["spec"]["containers"].items()) {
    const Value& port = container["ports"].at(0)["containerPort"];
    if (!port.is_int()) continue;
    address.port = static_cast<uint16_t>(port.as_int());
    break;
  }
  return address;
}

Result<ProxyAddress> service_address(const Value& service, const Value& endpoints, const ProxyName& name) {
  TRY(std::string port_name, service_port_name(service, name));
  for (const Value& subset : endpoints["subsets"].items()) {
    for (const Value& port : subset["ports"].items()) {
      const Value& ip = subset["addresses"].at(0)["ip"];
      if (port["name"].as_string() != port_name || ip.as_string().empty()) continue;
      ProxyAddress address;
      address.tls = name.scheme == "https";
      address.host = ip.as_string();
      address.port = static_cast<uint16_t>(port["port"].as_int());
      return address;
    }
  }
  return unavailable("no endpoints available for service " + quote(name.name));
}

Task<void> relay_to(loop::Loop& loop, loop::Network& network, const wire::Request& request, ProxyAddress address,
                    std::string target, std::string base, wire::Responder& responder) {
  wire::Endpoint endpoint;
  endpoint.tls = address.tls;
  endpoint.host = address.host;
  endpoint.port = address.port;
  std::shared_ptr<const wire::TlsContext> tls;
  if (address.tls) {
    wire::TlsContext::Client config;
    config.verify = false;  // pods' certificates are nobody's business; kube-apiserver does not check them either
    tls = co_await wire::TlsContext::client(config);
  }
  wire::HttpClient client(loop, network, std::move(endpoint), std::move(tls));
  client::RelayRequest how;
  how.target = std::move(target);
  how.extra.add("X-Forwarded-Uri", base + how.target);
  how.change_headers = [base](wire::Headers& headers) {
    std::string location(headers.get("Location"));
    if (location.starts_with('/') && !location.starts_with("//")) headers.set("Location", base + location);
  };
  auto relayed = co_await client::relay(loop, client, request, std::move(how), responder).result();
  if (relayed.ok()) co_return;
  co_await loop::fail(unavailable("error trying to reach service: " + relayed.error().message()));
}

}  // namespace orch::api
