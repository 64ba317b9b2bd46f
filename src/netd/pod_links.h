#pragma once
// The links of a node and its pods: blocking work for worker threads, values in and values out. Idempotent.
//
// Pods hang on one bridge, each with a /32 address and the bridge's address as its gateway, so that pods reach each other
// through the node's routing and rules: answers of a Service come back through the address translation, with br_netfilter
// and without. Where br_netfilter is active, it bridges what was translated to a pod; hence hairpin mode of the ports.

#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"

namespace orch::netd {

struct NodeLinks {
  std::string bridge;
  Cidr range;         // the node's pod addresses; the first one is the bridge's
  Cidr service_cidr;  // routed to the bridge, so that Services are reached without a default route
  Ip dns_address;     // on the bridge, too
};

// Bridge, addresses, route, forwarding (in the namespace of the process). Returns what could not be set and can be done
// without, for the log.
Result<std::vector<std::string>> set_up_node(const NodeLinks& links);

struct PodLink {
  std::string bridge;
  std::string name;               // of the node's end
  std::string network_namespace;  // path
  Ip address, gateway;
};

Result<void> attach_pod(const PodLink& link);
Result<void> detach_pod(const std::string& name);
// Ports of the bridge that are not among `keep`. Returns the names of those it removed.
Result<std::vector<std::string>> remove_other_ports(const std::string& bridge, const std::vector<std::string>& keep);
// Everything: for a node that shall forget orch.
Result<void> tear_down_node(const std::string& bridge);

// "orch3f2a", "o3f2a" + 9 digits: names of at most 15 bytes.
std::string bridge_name(const std::string& instance);
std::string port_name(const std::string& instance, const std::string& pod_uid);

}  // namespace orch::netd
