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

// "/proc/self/fd/7": how mount(2) is told of a place that is held by a descriptor.
class FdPath {
 public:
  explicit FdPath(int fd) {
    std::memcpy(text_, "/proc/self/fd/", 14);
    char digits[12];
    int n = 0;
    do digits[n++] = static_cast<char>('0' + fd % 10);
    while ((fd /= 10) > 0);
    size_t at = 14;
    while (n > 0) text_[at++] = digits[--n];
    text_[at] = '\0';
  }
  const char* c_str() const { return text_; }

 private:
  char text_[32];
};

// execute_files.cpp

enum class TargetKind { directory, file };
// An O_PATH descriptor of the target beneath the root, made with its parents where it is missing. -1 with errno.
// `resolve`: more RESOLVE_* flags of openat2(2).
int open_target(StepContext& context, std::string_view target, TargetKind kind, uint64_t resolve = 0);

int do_propagation(StepContext&, const steps::StepView&);
int do_overlay(StepContext&, const steps::StepView&);
int do_bind_root(StepContext&, const steps::StepView&);
int do_root(StepContext&, const steps::StepView&);
int do_mount(StepContext&, const steps::StepView&);
int do_bind(StepContext&, const steps::StepView&);
int do_device(StepContext&, const steps::StepView&);
int do_symlink(StepContext&, const steps::StepView&);
int do_console(StepContext&, const steps::StepView&);
int do_move_root(StepContext&, const steps::StepView&);
int do_pivot_root(StepContext&, const steps::StepView&);
int do_read_only_root(StepContext&, const steps::StepView&);
int do_mask(StepContext&, const steps::StepView&);
int do_read_only(StepContext&, const steps::StepView&);
int do_directory(StepContext&, const steps::StepView&);

// copy_up.cpp
int do_filled_tmpfs(StepContext&, const steps::StepView&);

// cgroup.cpp
int do_make_cgroup(StepContext&, const steps::StepView&);
int do_device_filter(StepContext&, const steps::StepView&);

}  // namespace orch::shim
