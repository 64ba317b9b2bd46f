#pragma once
// cgroup v2 as the runtime uses it. Blocking calls, for a worker thread; the files are small.

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"
#include "runtime/pod_runtime.h"

namespace orch::runtime {

struct CgroupMount {
  std::string path;                   // "/sys/fs/cgroup", "/sys/fs/cgroup/unified"
  std::set<std::string> controllers;  // of its root
};
// From the text of /proc/self/mountinfo: the first cgroup2. Code::not_found where there is none.
Result<std::string> find_cgroup_mount(std::string_view mountinfo);
Result<CgroupMount> open_cgroup_mount();

// Makes the node's own directory and passes on what controllers there are; says which could be.
Result<std::set<std::string>> make_node_cgroup(const CgroupMount& mount, const std::string& path);

// cgroup.kill (Linux 5.14), or SIGKILL to each process, again and again, on older ones.
void kill_cgroup(const std::string& path);
// Kills what is there and removes the tree; false while processes are still going away.
bool remove_cgroup(const std::string& path);

// What is missing in the files is absent in the result.
ResourceUsage read_usage(const std::string& path);

}  // namespace orch::runtime
