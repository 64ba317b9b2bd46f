#pragma once
// Hooks of an OCI configuration (config.md, "POSIX-platform Hooks").

#include <string_view>

#include "base/result.h"
#include "runc/container.h"

namespace orch::runc {

// Runs the hooks of one kind, one after the other, with the state on their standard input. `inside`: in the container's
// namespaces (createContainer, startContainer), else in ours. The first failure ends it: "error running prestart hook
// #0: exit status 1: <what it wrote to standard error>".
enum class Where { runtime, container };
Result<void> run_hooks(const Container& container, std::string_view kind, Status status, Where where);
bool has_hooks(const Value& config);

}  // namespace orch::runc
