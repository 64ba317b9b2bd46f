#pragma once
// One node: runtime, images, network and agent on a loop, before an ApiPort. `orch server` has one inside
// (unless --disable-agent); nothing in it knows where the API is.

#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/random.h"
#include "client/api_port.h"
#include "client/node_table.h"
#include "loop/uv_loop.h"
#include "loop/uv_network.h"

namespace orch::cmd {

struct AgentRoleOptions {
  std::string data_dir;
  std::string node_name, node_ip;
  std::vector<std::string> node_label, node_taint;
  std::string cluster_cidr, service_cidr, cluster_dns, cluster_domain;
};

class AgentRole {
 public:
  // Takes the directories, the socket and the node's cgroup. Blocking. Code::io, with advice.
  static Result<std::unique_ptr<AgentRole>> open(loop::UvLoop& loop, loop::UvNetwork& network, Random& random,
                                                 AgentRoleOptions options, Logger log);
  virtual ~AgentRole() = default;
  // Finds what an earlier process left running, then works for the API. `nodes` gets the node's door.
  virtual loop::Task<void> start(client::ApiPort& api, client::NodeTable& nodes) = 0;
  // Pods keep running, unless `stop_pods`.
  virtual loop::Task<void> stop(bool stop_pods) = 0;
};

}  // namespace orch::cmd
