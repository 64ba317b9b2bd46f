#pragma once
// The documents that `spec` and `features` give.

#include "data/value.h"

namespace orch::runc {

Value default_config();
// With a user namespace that maps root to the caller, and without what that cannot have.
Value rootless_config(Value config, unsigned uid, unsigned gid);
// features.md of the runtime specification.
Value features();

}  // namespace orch::runc
