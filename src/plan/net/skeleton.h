#pragma once
// The part of the ruleset that does not depend on Services: the hooks, the maps they look into, masquerading.
//
//   prerouting, output (nat)     services: address . protocol . port and local ports -> a chain of a Service
//   postrouting (nat)            masquerading of what was marked, of pods that reach themselves, of what leaves the cluster
//   input, forward, output       unserved: what no Service took although it is addressed to one
//   firewall, guard (filter)     source ranges of load balancers; 127.0.0.0/8 is not for pods

#include <string>

#include "plan/net/assembly.h"

namespace orch::plan::net {

struct NetworkOptions {
  std::string table;   // "orch_<instance>"
  std::string bridge;  // the link that pods are behind
  std::string node;    // our node's name: which endpoints are local
  Cidr cluster_cidr;
  Cidr service_cidr;
  Ip dns_address;      // the node itself answers there: no Service rules for it
};

// The mark of packets that leave with the node's address: kube-proxy's.
inline constexpr uint32_t masquerade_mark = 0x4000;

namespace names {
inline constexpr std::string_view services = "services";          // address . protocol . port : verdict
inline constexpr std::string_view local_ports = "local_ports";    // protocol . port : verdict; node ports, host ports
inline constexpr std::string_view unserved = "unserved";          // address . protocol . port : verdict
inline constexpr std::string_view unserved_ports = "unserved_ports";
inline constexpr std::string_view firewall = "firewall";          // address . protocol . port : verdict
inline constexpr std::string_view cluster_ips = "cluster_ips";    // addresses of Services
inline constexpr std::string_view hairpin = "hairpin";            // address . the same address, of pods on this node
inline constexpr std::string_view refuse = "refuse";              // a chain
}  // namespace names

Fragment skeleton(const NetworkOptions& options);

}  // namespace orch::plan::net
