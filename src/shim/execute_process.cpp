// Steps that concern namespaces, limits and identity of the new process.

#include <grp.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <sys/sysmacros.h>
#include "shim/step_context.h"

namespace orch::shim {

namespace {

int result(int value) { return value == 0 ? 0 : errno; }

int do_write_file(StepContext& context, const steps::StepView& step) {
  context.detail = step.c_str(0);
  return sys::write_kernel_file(step.c_str(0), step.text(1));
}

int do_unshare(StepContext& context, const steps::StepView& step) {
  context.detail = "unshare";
  return result(::unshare(static_cast<int>(step.number(0))));
}

int do_join(StepContext& context, const steps::StepView& step) {
  context.detail = step.c_str(0);
  sys::Fd ns(::open(step.c_str(0), O_RDONLY | O_CLOEXEC));
  if (!ns.ok()) return errno;
  // Who is inside already may not look into us (ptrace(2), /proc/<pid>/fd) before we are the program (CVE-2016-9962).
  // Of a user namespace's joining the kernel does it, and execve(2) undoes it.
  if (step.number(0) != CLONE_NEWUSER) ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  return result(::setns(ns.get(), static_cast<int>(step.number(0))));
}

int do_hostname(StepContext& context, const steps::StepView& step) {
  context.detail = "sethostname";
  return result(::sethostname(step.c_str(0), step.text(0).size()));
}

int do_domainname(StepContext& context, const steps::StepView& step) {
  context.detail = "setdomainname";
  return result(::setdomainname(step.c_str(0), step.text(0).size()));
}

// sysctl(8): dots are slashes, and slashes dots.
int do_sysctl(StepContext& context, const steps::StepView& step) {
  context.detail = step.c_str(0);
  char path[512] = "/proc/sys/";
  size_t used = 10;
  for (char c : step.text(0)) {
    if (used + 1 >= sizeof path) return ENAMETOOLONG;
    path[used++] = c == '.' ? '/' : c == '/' ? '.' : c;
  }
  return sys::write_kernel_file(path, step.text(1));
}

int do_new_session(StepContext& context, const steps::StepView&) {
  context.detail = "setsid";
  if (::setsid() < 0) return errno;
  if (!context.options.terminal) return 0;
  context.detail = "the controlling terminal";
  return result(::ioctl(0, TIOCSCTTY, 0));
}

int do_rlimit(StepContext& context, const steps::StepView& step) {
  context.detail = "setrlimit";
  const rlimit limit{step.number(1), step.number(2)};
  return result(::setrlimit(static_cast<__rlimit_resource_t>(step.number(0)), &limit));
}

int do_oom_score(StepContext& context, const steps::StepView& step) {
  context.detail = "oom_score_adj";
  const int64_t value = static_cast<int64_t>(step.number(0));
  char text[16];
  size_t at = sizeof text;
  uint64_t rest = value < 0 ? static_cast<uint64_t>(-value) : static_cast<uint64_t>(value);
  do text[--at] = static_cast<char>('0' + rest % 10);
  while ((rest /= 10) > 0);
  if (value < 0) text[--at] = '-';
  return sys::write_kernel_file("/proc/self/oom_score_adj", {text + at, sizeof text - at});
}

int do_umask(StepContext&, const steps::StepView& step) {
  ::umask(static_cast<mode_t>(step.number(0)));
  return 0;
}

int do_keyring(StepContext& context, const steps::StepView& step) {
  context.detail = "the session keyring";
  const long key = ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, step.c_str(0));
  // Not in this kernel, or forbidden: there is nothing to hide then.
  return key >= 0 || errno == ENOSYS || errno == EPERM || errno == EACCES || errno == EDQUOT ? 0 : errno;
}

int do_bounding(StepContext& context, const steps::StepView& step) {
  context.detail = "the capability bounding set";
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    if (step.number(0) >> capability & 1) continue;
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return errno;
  }
  return 0;
}

// So that the user can open /dev/stdout: pipes and terminals become theirs, as runc does. /dev/null stays root's, and
// what cannot be changed (a user namespace, a read-only place) stays as it is.
void give_stdio_to(uid_t uid) {
  for (int standard = 0; standard < 3; ++standard) {
    struct stat facts;
    if (::fstat(standard, &facts) != 0 || facts.st_uid == uid) continue;
    if (S_ISCHR(facts.st_mode) && facts.st_rdev == ::makedev(1, 3)) continue;
    if (::fchown(standard, uid, static_cast<gid_t>(-1)) != 0) continue;
  }
}

// setgroups(2), setresgid(2), setresuid(2); the capabilities survive until they are set.
int do_user(StepContext& context, const steps::StepView& step) {
  context.detail = "the user";
  gid_t groups[256];
  size_t count = 0;
  for (size_t i = 2; i < step.numbers(); ++i) {
    if (count == sizeof groups / sizeof groups[0]) return EINVAL;
    groups[count++] = static_cast<gid_t>(step.number(i));
  }
  if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return errno;
  context.detail = "setgroups";
  // A user namespace of someone without privileges forbids it (user_namespaces(7)); then there is nothing to set either.
  if (::setgroups(count, groups) != 0 && !(errno == EPERM && count == 0)) return errno;
  const uid_t uid = static_cast<uid_t>(step.number(0));
  const gid_t gid = static_cast<gid_t>(step.number(1));
  give_stdio_to(uid);
  context.detail = "setgid";
  if (::setresgid(gid, gid, gid) != 0) return errno;
  context.detail = "setuid";
  if (::setresuid(uid, uid, uid) != 0) return errno;
  return result(::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0));
}

int do_capabilities(StepContext& context, const steps::StepView& step) {
  context.detail = "capset";
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2];
  for (unsigned half = 0; half < 2; ++half) {
    data[half].effective = static_cast<uint32_t>(step.number(0) >> (32 * half));
    data[half].permitted = static_cast<uint32_t>(step.number(1) >> (32 * half));
    data[half].inheritable = static_cast<uint32_t>(step.number(2) >> (32 * half));
  }
  if (::syscall(SYS_capset, &header, data) != 0) return errno;
  context.detail = "the ambient capabilities";
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL) return errno;
  for (unsigned long capability = 0; capability < 64; ++capability) {
    if (!(step.number(3) >> capability & 1)) continue;
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0) return errno;
  }
  return 0;
}

int do_no_new_privileges(StepContext& context, const steps::StepView&) {
  context.detail = "no_new_privs";
  return result(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

int do_seccomp(StepContext& context, const steps::StepView& step) {
  context.detail = "seccomp";
  const std::string_view bytes = step.text(0);
  // The bytes have no alignment of their own; a filter has at most 4096 instructions (BPF_MAXINSNS).
  static sock_filter filter[4096];
  if (bytes.empty() || bytes.size() % sizeof(sock_filter) != 0 || bytes.size() > sizeof filter) return EINVAL;
  std::memcpy(filter, bytes.data(), bytes.size());
  sock_fprog program{static_cast<unsigned short>(bytes.size() / sizeof(sock_filter)), filter};
  return result(static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, step.number(0), &program)));
}

struct Entry {
  steps::Op op;
  StepFunction function;
};

constexpr Entry kFunctions[] = {
    {steps::Op::make_cgroup, do_make_cgroup},
    {steps::Op::write_file, do_write_file},
    {steps::Op::unshare, do_unshare},
    {steps::Op::device_filter, do_device_filter},
    {steps::Op::join, do_join},
    {steps::Op::hostname, do_hostname},
    {steps::Op::domainname, do_domainname},
    {steps::Op::sysctl, do_sysctl},
    {steps::Op::propagation, do_propagation},
    {steps::Op::overlay, do_overlay},
    {steps::Op::bind_root, do_bind_root},
    {steps::Op::root, do_root},
    {steps::Op::mount, do_mount},
    {steps::Op::filled_tmpfs, do_filled_tmpfs},
    {steps::Op::bind, do_bind},
    {steps::Op::device, do_device},
    {steps::Op::symlink, do_symlink},
    {steps::Op::console, do_console},
    {steps::Op::pivot_root, do_pivot_root},
    {steps::Op::move_root, do_move_root},
    {steps::Op::read_only_root, do_read_only_root},
    {steps::Op::mask, do_mask},
    {steps::Op::read_only, do_read_only},
    {steps::Op::new_session, do_new_session},
    {steps::Op::rlimit, do_rlimit},
    {steps::Op::oom_score, do_oom_score},
    {steps::Op::umask, do_umask},
    {steps::Op::keyring, do_keyring},
    {steps::Op::bounding, do_bounding},
    {steps::Op::user, do_user},
    {steps::Op::capabilities, do_capabilities},
    {steps::Op::no_new_privileges, do_no_new_privileges},
    {steps::Op::seccomp, do_seccomp},
    {steps::Op::directory, do_directory},
};

}  // namespace

StepFunction step_function(steps::Op op) {
  for (const Entry& entry : kFunctions) {
    if (entry.op == op) return entry.function;
  }
  return nullptr;
}

}  // namespace orch::shim
