#pragma once
// The facts that `orch check` judges (plan/check/host.h lists them). What is tried out is tried in processes and
// namespaces of its own, and leaves nothing behind.

#include <string>

#include "data/value.h"

namespace orch::sys {

// Takes some tens of milliseconds. `data_dir` need not exist.
Value gather_host_facts(const std::string& data_dir);

}  // namespace orch::sys
