#pragma once
// One process from steps, for `orch runc`: the shim's executor without a pod around it. The new process outlives the
// shim and becomes a child of the caller's subreaper (conmon), as runc's do.
//
//   orch-shim spawn STEPS_FD REPORT_FD CONSOLE_FD START_FD PRESERVED TERMINAL MEETING_FD
//
// Descriptors are numbers, -1 for none; standard input, output and error are handed on. On REPORT_FD comes a Report: ready
// or running with the pid as its code, or failed; what was refused, and met, before it.

namespace orch::shim {

int run_one_shot(int count, char** arguments);

}  // namespace orch::shim
