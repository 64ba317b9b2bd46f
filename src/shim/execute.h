#pragma once
// Executes steps: those before `clone` here, those after it in the new process. No heap, no exceptions.

#include <sys/types.h>

#include <cstdint>
#include <string_view>

#include "linux/raw.h"
#include "steps/report.h"

namespace orch::shim {

using steps::Report;

struct SpawnOptions {
  int input = -1, output = -1, error = -1;  // -1: /dev/null
  bool terminal = false;       // the three are the slave of a pty made by the steps (`console`), or by us for an exec
  int console_socket = -1;     // gets the pty's master (SCM_RIGHTS)
  int start_fifo = -1;         // wait_for_start reads a byte from it
  int meeting_pipe = -1;       // meet reads a byte from it
  bool die_with_parent = false;
  unsigned preserved_fds = 0;  // descriptors 3, 4, ... that the program gets
};

struct Spawned {
  pid_t pid = -1;
  sys::Fd reports;      // read end of the pipe, non-blocking
  Report failure;       // of a step in the caller; pid is -1 then
  uint32_t refused = 0;  // tolerated steps in the caller that were refused
};

Spawned spawn(std::string_view steps, const SpawnOptions& options);

// Steps without `clone`, in this process: a sandbox's.
bool execute_here(std::string_view steps, Report& failure);

}  // namespace orch::shim
