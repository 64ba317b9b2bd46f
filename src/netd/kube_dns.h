#pragma once
// The objects by which clients find the DNS: the Service kube-dns in kube-system, and this node's EndpointSlice for it. The
// node itself answers at the Service's address (docs: README.md), so the rules of Services leave it out.

#include "client/api_port.h"

namespace orch::netd {

struct KubeDnsOptions {
  std::string node;
  std::string node_uid;         // the slice goes with the Node object
  std::string service_address;  // "10.43.0.10"
  std::string node_address;     // where this node's server listens: "10.42.0.1"
};

// Makes or mends both. Idempotent.
loop::Task<void> ensure_kube_dns(client::ApiPort& api, KubeDnsOptions options);

}  // namespace orch::netd
