#include "plan/oci/names.h"

#include <linux/sched.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace orch::plan::oci {

namespace {

// linux/capability.h, in order.
constexpr std::array<std::string_view, 41> kCapabilities = {
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
    "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
    "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
};

// asm-generic/resource.h, in order.
constexpr std::array<std::string_view, 16> kLimits = {
    "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_RSS",
    "RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_MEMLOCK", "RLIMIT_AS", "RLIMIT_LOCKS", "RLIMIT_SIGPENDING",
    "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
};

// In the order in which they are joined: the user namespace first, for it has the say over the others; mount last,
// for the paths of the others are gone after it.
constexpr std::array<NamespaceType, 8> kNamespaces = {{
    {"user", "user", CLONE_NEWUSER},
    {"ipc", "ipc", CLONE_NEWIPC},
    {"uts", "uts", CLONE_NEWUTS},
    {"network", "net", CLONE_NEWNET},
    {"cgroup", "cgroup", CLONE_NEWCGROUP},
    {"time", "time", CLONE_NEWTIME},
    {"pid", "pid", CLONE_NEWPID},
    {"mount", "mnt", CLONE_NEWNS},
}};

template <size_t N>
std::optional<int> index_of(const std::array<std::string_view, N>& names, std::string_view name) {
  const auto at = std::find(names.begin(), names.end(), name);
  if (at == names.end()) return std::nullopt;
  return static_cast<int>(at - names.begin());
}

}  // namespace

std::optional<int> capability_number(std::string_view name) {
  std::string upper = to_upper(name);
  if (!upper.starts_with("CAP_")) upper = "CAP_" + upper;
  return index_of(kCapabilities, upper);
}

std::span<const std::string_view> capability_names() { return kCapabilities; }

uint64_t capability_set(const Value& names) {
  uint64_t set = 0;
  for (const Value& name : names.items()) {
    if (const auto number = capability_number(name.as_string())) set |= uint64_t{1} << *number;
  }
  return set;
}

std::optional<int> rlimit_number(std::string_view name) { return index_of(kLimits, name); }

std::span<const NamespaceType> namespace_types() { return kNamespaces; }

const NamespaceType* find_namespace_type(std::string_view name) {
  for (const NamespaceType& type : kNamespaces) {
    if (type.name == name) return &type;
  }
  return nullptr;
}

}  // namespace orch::plan::oci
