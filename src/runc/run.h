#pragma once
// `orch runc ...` (or the program under the name orch-runc): the OCI runtime behind runc's command line. Blocking, without
// a loop: it is one process for one command.

#include <string>
#include <vector>

namespace orch::runc {

// `words` without the program's name. The exit code: 0, 1, of `run` and `exec` the program's.
int run(const std::vector<std::string>& words);

}  // namespace orch::runc
