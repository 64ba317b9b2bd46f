#pragma once
// Netd: the network of one node, composed: pods' links and addresses, Services, DNS. The agent's role owns one and hands
// pod_network() to the agent. Works without the API: with what the last start left on disk until the API answers.
//
//   netd::Options options;
//   options.data_dir = "/var/lib/orch"; options.instance = ...; options.node = "node-1";
//   TRY(auto netd, netd::Netd::start(loop, api, log, options));
//   agent(..., netd->pod_network());
//   ...
//   co_await netd->stop();      // links and rules stay, pods go on

#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "client/api_port.h"
#include "loop/uv_loop.h"
#include "runtime/pod_network.h"

namespace orch::netd {

struct Options {
  std::string data_dir;   // files go below <data_dir>/agent/network/
  std::string instance;   // 12 hexadecimal digits (docs/node.md): names of the bridge, the links, the table
  std::string node;       // the Node object's name
  std::string cluster_cidr = "10.42.0.0/16";
  std::string service_cidr = "10.43.0.0/16";
  std::string cluster_dns = "10.43.0.10";
  std::string cluster_domain = "cluster.local";
  std::string resolv_conf = "/etc/resolv.conf";  // where names outside the cluster are asked for
  std::function<void()> ready;  // called once pods can be attached
};

class Netd {
 public:
  virtual ~Netd() = default;  // stops at once
  // Errors: Code::usage for ranges that are none, Code::io where files cannot be written. Everything else (no permission for
  // links, no API) is told by pod_network().not_ready_reason() and the log, and tried again.
  static Result<std::unique_ptr<Netd>> start(loop::UvLoop& loop, client::ApiPort& api, Logger logger, Options options);

  virtual runtime::PodNetwork& pod_network() = 0;
  // What is under way ends. Links, addresses and rules stay: pods go on.
  virtual loop::Task<void> stop() = 0;
  // Takes the table, the bridge and all links away, for `orch uninstall`. Files stay.
  virtual loop::Task<void> remove_everything() = 0;
};

}  // namespace orch::netd
