#pragma once
// The seccomp profile of containers that ask for RuntimeDefault: what containerd and docker allow by default, as an
// OCI linux.seccomp object. Everything else fails with EPERM; clone3 fails with ENOSYS, so that the C library falls
// back to clone, whose flags a filter can see.

#include "data/value.h"

namespace orch::plan::oci {

// `capabilities`: the bounding set, bit by capability number; what some of them allow is allowed with them.
Value default_seccomp(uint64_t capabilities);

}  // namespace orch::plan::oci
