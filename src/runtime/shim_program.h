#pragma once
// The shim's program, embedded in ours, as a file that can be executed: a sealed memfd, so that nobody who gets hold
// of /proc/<pid>/exe can change it (CVE-2019-5736). One is enough for all pods, which share its pages.

#include <string_view>

#include "base/result.h"
#include "linux/raw.h"

namespace orch::runtime {

std::string_view shim_program();
Result<sys::Fd> open_shim_program();

}  // namespace orch::runtime
