#pragma once
// From an OCI runtime configuration (runtime-spec 1.2, config.json) to the steps that a shim executes. Pure. The order
// of the steps is runc's; what a configuration may say is in the OCI runtime specification's config.md and config-linux.md.

#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/value.h"
#include "steps/step.h"

namespace orch::plan::oci {

// Where the root file system comes from: an overlay of layers (topmost first) mounted at `path`, or, without
// layers, the directory `path` itself.
struct Root {
  std::string path;
  std::vector<std::string> layers;
  std::string upper, work;  // "" with layers: read-only
};

struct Facts {
  std::set<std::string> controllers;  // of cgroup v2 that can be used: "cpu", "memory"
};

struct Request {
  Value config;
  Root root;
  std::string cgroup;          // absolute directory; "" none
  std::string seccomp_filter;  // linux.seccomp compiled (linux/seccomp_filter.h); "" none
  uint64_t seccomp_flags = 0;
  bool wait_for_start = false;  // `orch runc create`
  bool meet = false;            // hooks run before the root changes
  bool no_pivot = false;        // `--no-pivot`
  Facts facts;
};

// Errors: Code::invalid with the path in the configuration: "process.rlimits[0].type: ...".
Result<steps::Steps> compile(const Request& request);

// A process in a container that runs.
struct ExecRequest {
  Value config;   // the container's
  Value process;  // an OCI process object
  int pid = 0;    // of the container's first process
  std::string cgroup;
  std::string seccomp_filter;
  uint64_t seccomp_flags = 0;
  bool console = false;  // a terminal of the container's own devpts; else whoever starts it makes one
};
Result<steps::Steps> compile_exec(const ExecRequest& request);

// linux.resources as writes to files of a cgroup v2 directory, for controllers that there are.
steps::Steps compile_resources(const Value& resources, const std::string& cgroup, const Facts& facts);

}  // namespace orch::plan::oci
