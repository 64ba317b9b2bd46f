#pragma once
// The last steps of a process: limits, identity, program. Room-private.

#include <string>

#include "base/result.h"
#include "data/value.h"
#include "steps/step.h"

namespace orch::plan::oci {

struct ProcessRequest {
  const Value& process;
  const std::string& seccomp_filter;
  uint64_t seccomp_flags;
  bool wait_for_start;
};

Result<void> add_process(steps::Steps& steps, const ProcessRequest& request);

}  // namespace orch::plan::oci
