#pragma once
// The operations a shim can execute, one row each. plan/oci writes them, shim/execute.cpp has one function for each.
// Everything before `clone` happens in the caller, everything after it in the new process. The order is the caller's
// business: nothing is sorted.
//
// A step is an operation with numbers and texts. The columns name them; a last name that ends in "..." takes any number.

#include <cstdint>
#include <string_view>

namespace orch::steps {

// Shims of an older orch read these numbers too: a new one goes to the end.
enum class Op : uint16_t {
  // in the caller
  make_cgroup,
  write_file,
  device_filter,
  join_pid,
  clone,
  // in the new process: namespaces
  unshare,
  join,
  hostname,
  domainname,
  sysctl,
  propagation,
  // its file system; targets are resolved beneath the root (openat2(2), RESOLVE_IN_ROOT)
  overlay,
  bind_root,
  root,
  mount,
  filled_tmpfs,
  bind,
  device,
  symlink,
  console,
  meet,
  pivot_root,
  move_root,
  read_only_root,
  mask,
  read_only,
  // the process
  new_session,
  rlimit,
  oom_score,
  umask,
  keyring,
  wait_for_start,
  bounding,
  user,
  capabilities,
  no_new_privileges,
  seccomp,
  directory,
  environment,
  execute,
  count_,
};

struct OpInfo {
  Op op;
  std::string_view name;
  std::string_view numbers;  // names, separated by blanks
  std::string_view texts;
};

inline constexpr OpInfo kOps[] = {
    // mkdir -p. Directories of cgroup v2; controllers that the parent has are passed on (cgroup.subtree_control).
    {Op::make_cgroup, "make_cgroup", "", "path"},
    {Op::write_file, "write_file", "", "path content"},
    // A cgroup, and the eBPF program (struct bpf_insn) that says which devices its processes may use.
    {Op::device_filter, "device_filter", "", "cgroup program"},
    // The child's pid namespace is that of a path.
    {Op::join_pid, "join_pid", "", "path"},
    // CLONE_NEW* flags; the cgroup the child starts in, "" the caller's; id maps for CLONE_NEWUSER.
    {Op::clone, "clone", "flags", "cgroup uid_map gid_map"},
    // CLONE_NEW* flags of namespaces that this process makes for itself.
    {Op::unshare, "unshare", "flags", ""},
    // CLONE_NEW* type of the namespace at a path.
    {Op::join, "join", "type", "path"},
    {Op::hostname, "hostname", "", "name"},
    {Op::domainname, "domainname", "", "name"},
    {Op::sysctl, "sysctl", "", "name value"},
    // MS_* flags for everything below "/".
    {Op::propagation, "propagation", "flags", ""},
    // An overlayfs at `target`; lower directories topmost first. Empty upper: read-only.
    {Op::overlay, "overlay", "", "target upper work lower..."},
    // An existing directory, bound to itself.
    {Op::bind_root, "bind_root", "flags", "path"},
    // Opens the root: what the targets of the following steps are beneath.
    {Op::root, "root", "", "path"},
    // A new file system: MS_* flags.
    {Op::mount, "mount", "flags propagation", "source target type data"},
    // A tmpfs that starts with a copy of what its place holds: MS_* flags.
    {Op::filled_tmpfs, "filled_tmpfs", "flags propagation", "target data"},
    // A bind of a file or directory of the host. `flags`: MS_BIND, MS_REC; `set` and `clear`: MOUNT_ATTR_* of
    // mount_setattr(2); `recursive`: they hold below it too; `propagation`: MS_* or 0.
    {Op::bind, "bind", "flags set clear recursive propagation", "source target subpath"},
    // A device node (mode with S_IFCHR or S_IFBLK), bound from the host's where mknod(2) is refused.
    {Op::device, "device", "mode major minor uid gid", "target"},
    {Op::symlink, "symlink", "", "content target"},
    // The terminal's other end at a path (/dev/console).
    {Op::console, "console", "", "target"},
    // Tells the caller that the namespaces and mounts are there, and waits for its word: hooks run meanwhile.
    {Op::meet, "meet", "", ""},
    {Op::pivot_root, "pivot_root", "", ""},
    // Instead of pivot_root(2), where the old root is the kernel's initial one: MS_MOVE and chroot(2).
    {Op::move_root, "move_root", "", ""},
    {Op::read_only_root, "read_only_root", "", ""},
    // An empty, unreadable place over a path; nothing where there is none.
    {Op::mask, "mask", "", "path"},
    {Op::read_only, "read_only", "", "path"},
    // setsid(2); with a terminal it becomes the controlling one.
    {Op::new_session, "new_session", "", ""},
    {Op::rlimit, "rlimit", "resource soft hard", ""},
    // The number is a signed one.
    {Op::oom_score, "oom_score", "value", ""},
    {Op::umask, "umask", "mask", ""},
    {Op::keyring, "keyring", "", "name"},
    // Tells the caller that everything is ready, and waits for its word (`orch runc create`, `start`).
    {Op::wait_for_start, "wait_for_start", "", ""},
    {Op::bounding, "bounding", "set", ""},
    {Op::user, "user", "uid gid group...", ""},
    {Op::capabilities, "capabilities", "effective permitted inheritable ambient", ""},
    {Op::no_new_privileges, "no_new_privileges", "", ""},
    // seccomp(2) filter flags; the program (struct sock_filter) as bytes.
    {Op::seccomp, "seccomp", "flags", "filter"},
    // Made where it is missing, as runc does.
    {Op::directory, "directory", "", "path"},
    {Op::environment, "environment", "", "variable..."},
    // Looked up in the PATH of the environment.
    {Op::execute, "execute", "", "argument..."},
};
static_assert(sizeof kOps / sizeof kOps[0] == static_cast<size_t>(Op::count_));

constexpr const OpInfo& info(Op op) { return kOps[static_cast<size_t>(op)]; }

}  // namespace orch::steps
