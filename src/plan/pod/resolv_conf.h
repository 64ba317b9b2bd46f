#pragma once
// /etc/resolv.conf, /etc/hosts and /etc/hostname of a pod. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "plan/pod/pod_view.h"

namespace orch::plan::pod {

struct DnsSettings {
  std::string cluster_dns;     // "" : pods use the host's
  std::string cluster_domain;  // "cluster.local"
  std::string host_conf;       // the host's own resolv.conf
};

// spec.dnsPolicy and dnsConfig.
std::string resolv_conf(const PodView& pod, const DnsSettings& dns);
// kubelet's managed hosts file; `host_file` is the node's own, for pods on its network.
std::string hosts_file(const PodView& pod, const std::vector<std::string>& ips, std::string_view cluster_domain,
                       std::string_view host_file);

}  // namespace orch::plan::pod
