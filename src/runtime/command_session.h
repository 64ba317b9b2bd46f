#pragma once
// CommandSession over descriptors that came from a shim: of an exec, or of a container one is attached to. Room-private.

#include <memory>

#include "loop/queue.h"
#include "loop/scope.h"
#include "loop/stream.h"
#include "runtime/pod_runtime.h"

namespace orch::runtime {

// The end of an exec's process (or of the container, for an attach), told by the shim.
struct ExecExit {
  explicit ExecExit(loop::Loop& loop) : ended(loop) {}
  loop::Event ended;
  int code = 137;  // also where the shim went away
};

struct SessionParts {
  std::unique_ptr<loop::Stream> input;   // null: none
  std::unique_ptr<loop::Stream> output;
  std::unique_ptr<loop::Stream> error;   // null: none (a terminal)
  bool input_is_output = false;          // a terminal of an exec: one stream both ways; `input` is null
  std::shared_ptr<ExecExit> exit;
  std::function<void(TerminalSize)> resize;
  std::function<void()> abandon;         // called when the session goes before the process
};

std::unique_ptr<CommandSession> make_session(loop::Loop& loop, SessionParts parts);

}  // namespace orch::runtime
