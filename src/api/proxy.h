#pragma once
// The proxy subresources of pods and services: /api/v1/namespaces/<ns>/services/[scheme:]name[:port]/proxy/<path>.

#include <string>
#include <string_view>

#include "data/value.h"
#include "loop/loop.h"
#include "loop/stream.h"
#include "wire/http.h"

namespace orch::api {

struct ProxyPath {
  std::string base;   // up to and with "/proxy"
  std::string path;   // behind it: "" or "/..."; encoded as the client sent it
  std::string query;  // "" or "?..."
};
// `segments`: how many of the target's path belong to the base.
ProxyPath proxy_path(std::string_view target, size_t segments);

struct ProxyName {
  std::string scheme;  // "http", "https"
  std::string name;
  std::string port;    // name, number or ""
};
// "name", "name:port", "scheme:name:port". Code::bad_request else.
Result<ProxyName> parse_proxy_name(std::string_view text);

struct ProxyAddress {
  bool tls = false;
  std::string host;
  uint16_t port = 0;
};
// Errors are kube-apiserver's: Code::bad_request, Code::unavailable.
Result<ProxyAddress> pod_address(const Value& pod, const ProxyName& name);
Result<ProxyAddress> service_address(const Value& service, const Value& endpoints, const ProxyName& name);

// `base`: the path in front, for redirects that the server answers with.
loop::Task<void> relay_to(loop::Loop& loop, loop::Network& network, const wire::Request& request, ProxyAddress address,
                          std::string target, std::string base, wire::Responder& responder);

}  // namespace orch::api
