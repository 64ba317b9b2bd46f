#pragma once
// What the agent keeps on disk of pods (docs/node.md), beside their volumes: directories, checkpoints,
// termination logs, container logs. Blocking work happens on worker threads.

#include <string>
#include <vector>

#include "agent/pod_maker.h"
#include "loop/loop.h"
#include "plan/pod/node_paths.h"

namespace orch::agent {

class PodFiles {
 public:
  PodFiles(loop::Loop& loop, plan::pod::NodePaths paths) : loop_(loop), paths_(std::move(paths)) {}
  const plan::pod::NodePaths& paths() const { return paths_; }

  loop::Task<std::string> termination_message(plan::pod::PodView pod, plan::pod::ContainerView container, uint32_t attempt,
                                              bool failed);
  loop::Task<void> remove_log(plan::pod::PodView pod, std::string container, uint32_t attempt);
  loop::Task<void> remove_pod(std::string uid, std::string ns, std::string name);
  // Directories of pods and of their logs that belong to none of these.
  loop::Task<void> remove_except(std::vector<std::string> uids);

 private:
  loop::Loop& loop_;
  plan::pod::NodePaths paths_;
};

// mkdir -p. Errors: Code::io.
Result<void> make_directories(const std::string& path, unsigned mode);
// rm -r, never through a symbolic link and never into another file system's mount. Absent: success.
Result<void> remove_tree(const std::string& path);

}  // namespace orch::agent
