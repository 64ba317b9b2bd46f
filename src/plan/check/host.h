#pragma once
// `orch check`: what this kernel and host can and cannot do. Pure: facts in (linux/host_facts.h gathers them), findings
// out.
//
// The facts are an object; an error is an errno, 0 where it works:
//   uid, kernel ("6.1.0-18-amd64"), machine (model, "" unknown), capabilities_missing [names],
//   namespaces {mount, pid, network, ipc, uts, cgroup, user, time: error}, seccomp (boolean), overlay (error),
//   cgroup {mount ("" none), controllers [names], v1 [names], disabled [names], write (error)},
//   network {nf_tables, veth, bridge, vxlan: error; br_netfilter: boolean},
//   ports [{port, free}], server_running (boolean), clock {year, synchronized},
//   disk {path, free, total (bytes), free_inodes, total_inodes, read_only}, memory (bytes),
//   limits {files, inotify_instances}

#include <string>
#include <vector>

#include "data/value.h"

namespace orch::plan::check {

enum class Level : uint8_t {
  fine,
  gap,      // pods run, but something is not enforced or not there
  missing,  // pods do not run
};

struct Finding {
  Level level = Level::fine;
  std::string area;  // "cgroup: memory"
  std::string text;
  std::string fix;   // what to do; "" where it is fine
};

std::vector<Finding> check_host(const Value& facts);
bool pods_can_run(const std::vector<Finding>& findings);
// One line a finding, its fix below it, a sentence at the end.
std::string format_findings(const std::vector<Finding>& findings);

}  // namespace orch::plan::check
