#pragma once
// Runs steps through the shim's program: the new process outlives it and becomes a child of the nearest subreaper
// (conmon, containerd-shim, or `orch runc run` itself).

#include <sys/types.h>

#include <functional>

#include "base/result.h"
#include "steps/step.h"

namespace orch::runc {

struct LaunchRequest {
  steps::Steps steps;
  int console_socket = -1;     // gets the terminal's master (SCM_RIGHTS)
  int start_fifo = -1;         // the program waits there
  unsigned preserved_fds = 0;  // 3, 4, ...
  bool terminal = false;
  // Called with the pid while the process waits at `meet`.
  std::function<Result<void>(pid_t)> on_meet;
};

// Standard input, output and error are ours. Returns once the process waits for its start or has executed its program.
// Errors: Code::internal with the step's words, e.g. `exec: "x": executable file not found in $PATH`; nothing runs then.
Result<pid_t> launch(const LaunchRequest& request);

}  // namespace orch::runc
