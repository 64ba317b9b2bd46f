#include "plan/oci/default_seccomp.h"

#include <linux/capability.h>
#include <linux/sched.h>

#include <string_view>
#include <vector>

#include "base/text.h"

namespace orch::plan::oci {

namespace {

// Names that an architecture does not have are passed over when the profile is compiled.
constexpr std::string_view kAlways[] = {
    // files and directories
    "access faccessat faccessat2 open openat openat2 creat close close_range read readv pread64 preadv preadv2 write "
    "writev pwrite64 pwritev pwritev2 lseek _llseek fcntl fcntl64 ioctl flock dup dup2 dup3 truncate truncate64 "
    "ftruncate ftruncate64 fallocate fadvise64 fadvise64_64 readahead sync syncfs fsync fdatasync sync_file_range "
    "sync_file_range2 copy_file_range sendfile sendfile64 splice tee vmsplice stat stat64 lstat lstat64 fstat fstat64 "
    "fstatat64 newfstatat statx statfs statfs64 fstatfs fstatfs64 statmount listmount getdents getdents64 getcwd chdir "
    "fchdir mkdir mkdirat rmdir rename renameat renameat2 link linkat symlink symlinkat readlink readlinkat unlink "
    "unlinkat mknod mknodat chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 fchownat lchown lchown32 umask "
    "utime utimes utimensat utimensat_time64 futimesat getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr "
    "fsetxattr setxattrat listxattr llistxattr flistxattr listxattrat removexattr lremovexattr fremovexattr "
    "removexattrat name_to_handle_at cachestat fanotify_mark inotify_init inotify_init1 inotify_add_watch "
    "inotify_rm_watch memfd_create memfd_secret landlock_create_ruleset landlock_add_rule landlock_restrict_self",
    // waiting for them
    "select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64 epoll_create epoll_create1 epoll_ctl "
    "epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd signalfd4 pipe pipe2 "
    "io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64",
    // memory
    "brk mmap mmap2 munmap mremap mprotect msync madvise mincore mlock mlock2 mlockall munlock munlockall mseal "
    "remap_file_pages pkey_alloc pkey_free pkey_mprotect map_shadow_stack membarrier",
    // processes and their identity
    "fork vfork execve execveat exit exit_group wait4 waitid waitpid getpid getppid gettid getpgid getpgrp setpgid "
    "getsid setsid getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid "
    "getresgid32 getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 "
    "setresuid setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32 capget "
    "capset prctl seccomp getpriority setpriority ioprio_get ioprio_set getrlimit ugetrlimit setrlimit prlimit64 "
    "getrusage getcpu set_tid_address set_thread_area get_thread_area set_robust_list get_robust_list rseq futex "
    "futex_time64 futex_waitv futex_wait futex_wake futex_requeue pidfd_open pidfd_send_signal process_mrelease uname "
    "sysinfo restart_syscall",
    // scheduling
    "sched_yield sched_getparam sched_setparam sched_getscheduler sched_setscheduler sched_getattr sched_setattr "
    "sched_getaffinity sched_setaffinity sched_get_priority_max sched_get_priority_min sched_rr_get_interval "
    "sched_rr_get_interval_time64",
    // signals
    "kill tkill tgkill rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
    "rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn pause alarm",
    // time
    "time times gettimeofday getitimer setitimer nanosleep clock_getres clock_getres_time64 clock_gettime "
    "clock_gettime64 clock_nanosleep clock_nanosleep_time64 adjtimex clock_adjtime clock_adjtime64 timer_create timer_delete timer_getoverrun "
    "timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 "
    "timerfd_settime timerfd_settime64",
    // sockets; `socket` itself is below
    "accept accept4 bind connect listen getpeername getsockname getsockopt setsockopt recv recvfrom recvmsg recvmmsg "
    "recvmmsg_time64 send sendto sendmsg sendmmsg shutdown socketcall socketpair getrandom",
    // System V and POSIX IPC
    "ipc msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget mq_open "
    "mq_unlink mq_notify mq_getsetattr mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64",
    // since Linux 4.8 a filter is asked again after a tracer has changed a call: tracing one's own is safe
    "ptrace process_vm_readv process_vm_writev uretprobe",
#if defined(__x86_64__) || defined(__i386__)
    "arch_prctl modify_ldt",
#elif defined(__aarch64__) || defined(__arm__)
    "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls",
#elif defined(__riscv)
    "riscv_flush_icache riscv_hwprobe",
#endif
};

struct WithCapability {
  int capability;
  std::string_view calls;
};

constexpr WithCapability kWithCapability[] = {
    {CAP_DAC_READ_SEARCH, "open_by_handle_at"},
    {CAP_SYS_ADMIN,
     "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount open_tree "
     "perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare"},
    {CAP_SYS_BOOT, "reboot"},
    {CAP_SYS_CHROOT, "chroot"},
    {CAP_SYS_MODULE, "delete_module init_module finit_module"},
    {CAP_SYS_PACCT, "acct"},
    {CAP_SYS_PTRACE, "kcmp pidfd_getfd process_madvise"},
    {CAP_SYS_RAWIO, "iopl ioperm"},
    {CAP_SYS_TIME, "settimeofday stime clock_settime clock_settime64"},
    {CAP_SYS_TTY_CONFIG, "vhangup"},
    {CAP_SYS_NICE, "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
    {CAP_SYSLOG, "syslog"},
    {CAP_BPF, "bpf"},
    {CAP_PERFMON, "perf_event_open"},
};

// personality(2): Linux, Linux with 32-bit uname, each without address randomization, and the question what it is.
constexpr uint64_t kPersonalities[] = {0x0, 0x8, 0x20000, 0x20008, 0xffffffff};

constexpr uint64_t kNewNamespaces =
    CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP;

Value rule(Value names, std::string_view action, std::vector<Value> conditions) {
  ObjectBuilder builder;
  builder.set("names", std::move(names)).set("action", action);
  if (!conditions.empty()) builder.set("args", Value::list(std::move(conditions)));
  return std::move(builder).build();
}

Value condition(int index, uint64_t value, std::string_view op, uint64_t second = 0) {
  return Value::object({{"index", index}, {"value", value}, {"valueTwo", second}, {"op", op}});
}

void add_names(std::vector<Value>& names, std::string_view text) {
  for (std::string_view name : split(text, ' ')) names.emplace_back(name);
}

Value one(std::string_view name) { return Value::list({name}); }

// By the architecture that orch runs on, with those whose programs it can run.
Value architectures() {
#if defined(__x86_64__)
  return Value::list({"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"});
#elif defined(__aarch64__)
  return Value::list({"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"});
#else
  return Value::list({});
#endif
}

}  // namespace

Value default_seccomp(uint64_t capabilities) {
  const auto has = [capabilities](int capability) { return (capabilities >> capability & 1) != 0; };
  std::vector<Value> names;
  for (std::string_view group : kAlways) add_names(names, group);
  for (const WithCapability& row : kWithCapability) {
    if (has(row.capability)) add_names(names, row.calls);
  }
  std::vector<Value> rules;
  rules.push_back(rule(Value::list(std::move(names)), "SCMP_ACT_ALLOW", {}));
  for (uint64_t persona : kPersonalities) {
    rules.push_back(rule(one("personality"), "SCMP_ACT_ALLOW", {condition(0, persona, "SCMP_CMP_EQ")}));
  }
  // AF_VSOCK reaches the hypervisor past every network namespace.
  constexpr uint64_t kVsock = 40;
  rules.push_back(rule(one("socket"), "SCMP_ACT_ALLOW", {condition(0, kVsock, "SCMP_CMP_NE")}));
  if (!has(CAP_SYS_ADMIN)) {
    rules.push_back(rule(one("clone"), "SCMP_ACT_ALLOW", {condition(0, kNewNamespaces, "SCMP_CMP_MASKED_EQ", 0)}));
    constexpr int kNoSuchCall = 38;  // ENOSYS
    rules.push_back(rule(one("clone3"), "SCMP_ACT_ERRNO", {}).with("errnoRet", kNoSuchCall));
  }
  return Value::object({{"defaultAction", "SCMP_ACT_ERRNO"},
                        {"defaultErrnoRet", 1},
                        {"architectures", architectures()},
                        {"syscalls", Value::list(std::move(rules))}});
}

}  // namespace orch::plan::oci
