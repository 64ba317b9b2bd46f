#pragma once
// What a process that executes steps says to the one that started it.

#include <cstdint>

namespace orch::steps {

// That it is ready (wait_for_start, or a sandbox that stands) or has come to `meet`, that a tolerated step was refused, or why it ended before
// its program began. The pipe's end without a word is success: execve(2) closed it.
struct Report {
  enum class What : uint32_t { refused, ready, failed, met };
  What what = What::failed;
  int32_t error = 0;   // errno
  // failed: the exit status that users know: 127 not found, 126 not executable, 128 everything before. ready, met: a pid.
  int32_t code = 128;
  char text[244] = {};
};

}  // namespace orch::steps
