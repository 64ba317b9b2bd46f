#pragma once
// linux.resources.devices as an eBPF program (BPF_PROG_TYPE_CGROUP_DEVICE), cgroup v2's replacement of the devices
// controller. Room-private but for tests.

#include <string>

#include "base/result.h"
#include "data/value.h"

namespace orch::plan::oci {

// struct bpf_insn[] as bytes. The last rule that fits decides, and without one the device is denied; the devices that
// every container has (runtime-spec, "Default Devices") and mknod(2) are always allowed. Errors: Code::invalid with
// the path.
Result<std::string> device_filter(const Value& rules);

}  // namespace orch::plan::oci
