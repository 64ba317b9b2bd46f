#pragma once
// What the steps of one process share. Room-private.

#include <cstdint>

#include "linux/raw.h"
#include "shim/execute.h"
#include "steps/reader.h"

namespace orch::shim {

struct StepContext {
  const SpawnOptions& options;
  int report_pipe = -1;
  sys::Fd root;                  // `root` opened it
  steps::StepView environment_step;
  bool has_environment = false;
  const char* detail = "";       // what failed within a step, for its report
};

// 0, or an errno; `context.detail` says more.
using StepFunction = int (*)(StepContext& context, const steps::StepView& step);

// By Op; null for those that are no step of their own (clone, environment, execute).
StepFunction step_function(steps::Op op);

// execute_files.cpp
int do_propagation(StepContext&, const steps::StepView&);
int do_overlay(StepContext&, const steps::StepView&);
int do_bind_root(StepContext&, const steps::StepView&);
int do_root(StepContext&, const steps::StepView&);
int do_mount(StepContext&, const steps::StepView&);
int do_bind(StepContext&, const steps::StepView&);
int do_device(StepContext&, const steps::StepView&);
int do_symlink(StepContext&, const steps::StepView&);
int do_console(StepContext&, const steps::StepView&);
int do_pivot_root(StepContext&, const steps::StepView&);
int do_read_only_root(StepContext&, const steps::StepView&);
int do_mask(StepContext&, const steps::StepView&);
int do_read_only(StepContext&, const steps::StepView&);
int do_directory(StepContext&, const steps::StepView&);

// cgroup.cpp
int do_make_cgroup(StepContext&, const steps::StepView&);

}  // namespace orch::shim
