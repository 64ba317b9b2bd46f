#pragma once
// Starting a shim: blocking work, for a worker thread. What a new shim gets: its listening socket, the steps of its
// sandbox, and a pipe to say that it is ready (shim/pod.h).

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "linux/raw.h"

namespace orch::runtime {

struct LaunchRequest {
  int program = -1;     // shim_program.h
  std::string socket;   // where the shim listens; at most 107 bytes (unix(7))
  std::string steps;    // encoded
  bool shared_pid_namespace = false;
};

struct Launched {
  pid_t pid = 0;        // our child
  pid_t pause_pid = 0;  // holds a shared pid namespace; 0 without one
};

// Returns once the sandbox stands. Errors say which step failed; nothing is left then.
Result<Launched> launch_shim(const LaunchRequest& request);

// Bytes as a descriptor that another process can map.
Result<sys::Fd> memory_file(std::string_view bytes);

// A connection to a shim's socket. Code::not_found or Code::io (ECONNREFUSED) where nobody listens.
Result<sys::Fd> connect_shim(const std::string& socket);

}  // namespace orch::runtime
