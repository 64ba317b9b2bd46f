// Directories of cgroup v2 (Documentation/admin-guide/cgroup-v2.rst).

#include <linux/bpf.h>
#include <sys/stat.h>

#include "shim/step_context.h"

namespace orch::shim {

namespace {

// "cpu memory" -> "+cpu", "+memory": each by itself, so that one that is refused does not take the others along.
void pass_controllers_on(std::string_view directory) {
  char path[4096 + 32], controllers[512];
  const size_t length = directory.size();
  if (length + sizeof "/cgroup.subtree_control" > sizeof path) return;
  std::memcpy(path, directory.data(), length);
  std::memcpy(path + length, "/cgroup.controllers", sizeof "/cgroup.controllers");
  const ssize_t n = sys::read_small_file(path, controllers, sizeof controllers);
  std::memcpy(path + length, "/cgroup.subtree_control", sizeof "/cgroup.subtree_control");
  for (char* at = controllers; n > 0 && *at != '\0';) {
    char word[64] = {'+'};
    size_t used = 1;
    while (*at != '\0' && *at != ' ' && *at != '\n' && used < sizeof word) word[used++] = *at++;
    if (used > 1) sys::write_kernel_file(path, {word, used});
    while (*at == ' ' || *at == '\n') ++at;
  }
}

}  // namespace

int do_make_cgroup(StepContext& context, const steps::StepView& step) {
  char path[4096];
  const std::string_view whole = step.text(0);
  context.detail = "mkdir of the cgroup";
  if (whole.size() + 64 > sizeof path || whole.empty() || whole[0] != '/') return ENAMETOOLONG;
  std::memcpy(path, whole.data(), whole.size() + 1);
  if (::mkdir(path, 0755) == 0) {
    const size_t parent = whole.rfind('/');
    if (parent > 0) pass_controllers_on(whole.substr(0, parent));
    return 0;
  }
  if (errno == EEXIST) return 0;
  for (size_t i = 1; i <= whole.size(); ++i) {
    if (i < whole.size() && whole[i] != '/') continue;
    path[i] = '\0';
    if (::access(path, F_OK) != 0 && ::mkdir(path, 0755) != 0 && errno != EEXIST) return errno;
    if (i < whole.size()) {
      pass_controllers_on(whole.substr(0, i));
      path[i] = '/';
    }
  }
  return 0;
}

// bpf(2), BPF_PROG_TYPE_CGROUP_DEVICE: what took the place of v1's devices controller.
int do_device_filter(StepContext& context, const steps::StepView& step) {
  context.detail = "the device filter";
  constexpr size_t kMostInstructions = 4096;
  static bpf_insn program[kMostInstructions];
  const std::string_view bytes = step.text(1);
  if (bytes.empty() || bytes.size() > sizeof program || bytes.size() % sizeof(bpf_insn) != 0) return EINVAL;
  std::memcpy(program, bytes.data(), bytes.size());
  bpf_attr load;
  std::memset(&load, 0, sizeof load);
  load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load.insns = reinterpret_cast<uint64_t>(program);
  load.insn_cnt = static_cast<uint32_t>(bytes.size() / sizeof(bpf_insn));
  load.license = reinterpret_cast<uint64_t>("Apache");
  sys::Fd loaded(static_cast<int>(::syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load)));
  if (!loaded.ok()) return errno;
  sys::Fd cgroup(::open(step.c_str(0), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!cgroup.ok()) return errno;
  bpf_attr attach;
  std::memset(&attach, 0, sizeof attach);
  attach.target_fd = static_cast<uint32_t>(cgroup.get());
  attach.attach_bpf_fd = static_cast<uint32_t>(loaded.get());
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  return ::syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach) == 0 ? 0 : errno;
}

}  // namespace orch::shim
