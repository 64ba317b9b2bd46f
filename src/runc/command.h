#pragma once
// A command of `orch runc`: one row of the table in run.cpp.

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "runc/options.h"

namespace orch::runc {

// The flags before the command.
struct Context {
  std::string root = "/run/orch/runc";
  bool systemd_cgroup = false;  // linux.cgroupsPath has systemd's form
  bool no_cgroup = false;       // --cgroup-manager=disabled
};

struct Command {
  std::string_view name, usage, summary;
  std::span<const Option> options;
  // The exit code.
  Result<int> (*run)(const Context&, const Options&);
};

std::span<const Command> life_commands();     // create, start, run, exec
std::span<const Command> control_commands();  // kill, delete, pause, resume, update
std::span<const Command> show_commands();     // state, list, ps, events, spec, features

}  // namespace orch::runc
