#pragma once
// NodeDirectory: from a node's name to the door of its agent, which answers the kubelet's own paths
// (/containerLogs/..., /exec/..., /attach/..., /portForward/..., /stats/summary). In one process that is a
// function call; to another machine the handler relays over HTTPS. The API hands requests for pods' logs,
// exec, attach and port-forward over to it, connection and all.

#include <string_view>

#include "wire/http.h"

namespace orch::client {

class NodeDirectory {
 public:
  virtual ~NodeDirectory() = default;
  // Null where nobody answers for the node (yet). Lives as long as the directory.
  virtual wire::Handler* find(std::string_view node) = 0;
};

}  // namespace orch::client
