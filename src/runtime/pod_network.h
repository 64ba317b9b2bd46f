#pragma once
// PodNetwork: what connects a pod's network namespace to the node. netd implements it; the agent calls it
// between creating a sandbox and starting its first container. On the loop's thread.

#include <string>
#include <vector>

#include "loop/task.h"

namespace orch::runtime {

struct HostPort {
  std::string host_ip;  // "": all
  uint16_t host_port = 0;
  uint16_t container_port = 0;
  std::string protocol;  // "TCP", "UDP", "SCTP"
};

struct PodNetworkRequest {
  std::string pod_uid, ns, name;
  std::string network_namespace;  // a path to open
  std::vector<HostPort> host_ports;
};

struct PodAddresses {
  std::vector<std::string> ips;  // the first is status.podIP
};

class PodNetwork {
 public:
  virtual ~PodNetwork() = default;
  // "" when pods can be attached; else why not, for the node's Ready condition and the pod's events.
  virtual std::string not_ready_reason() const = 0;
  // Interface, address, routes and host ports. Idempotent: a pod keeps its address, over restarts of the process too.
  virtual loop::Task<PodAddresses> attach(PodNetworkRequest request) = 0;
  // Gives the address and the host ports back. Succeeds where there is nothing.
  virtual loop::Task<void> detach(std::string pod_uid) = 0;
  // After a start: whatever belongs to other pods than these goes.
  virtual loop::Task<void> keep_only(std::vector<std::string> pod_uids) = 0;
};

}  // namespace orch::runtime
