#pragma once
// `orch server`: composes the rooms into one process and runs it until SIGTERM or SIGINT.

#include "cmd/options.h"

namespace orch::cmd {

// The exit status. Errors went to stderr.
int run_server(const ServerOptions& options);

}  // namespace orch::cmd
