#pragma once
// What one Service, or one pod of this node, asks of the ruleset. After kube-proxy: which endpoints count (KEP-1669),
// traffic policies (KEP-2086), session affinity, source ranges.

#include <string>
#include <vector>

#include "data/value.h"
#include "plan/net/assembly.h"
#include "plan/net/skeleton.h"

namespace orch::plan::net {

// `slices`: the EndpointSlices of the Service. Empty for Services that get no rules: headless ones, ExternalName, those with
// the label service.kubernetes.io/service-proxy-name, those without an IPv4 address.
Fragment service_fragment(const Value& service, const std::vector<Value>& slices, const NetworkOptions& options);

struct HostPortRule {
  std::string host_ip;  // "": all
  uint8_t protocol = 6;
  uint16_t host_port = 0, container_port = 0;
};
// `uid` names its chains.
Fragment pod_fragment(const std::string& uid, const Ip& address, const std::vector<HostPortRule>& ports);

// "TCP" -> 6, "UDP" -> 17, "SCTP" -> 132; 0 for others. "" is TCP.
uint8_t protocol_number(std::string_view name);

inline std::string service_owner(std::string_view ns, std::string_view name) {
  return "service/" + std::string(ns) + "/" + std::string(name);
}
inline std::string pod_owner(std::string_view uid) { return "pod/" + std::string(uid); }

}  // namespace orch::plan::net
