#pragma once
// linux.seccomp of an OCI runtime configuration (config-linux.md, "Seccomp") compiled to the kernel's filter program,
// through libseccomp. No effects but memory; takes a few milliseconds for a large profile, so keep what it gives.
// (A header of this room must not have the name of one in /usr/include/linux: it would stand before it.)

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "data/value.h"

namespace orch::sys {

struct SeccompFilter {
  std::string program;  // struct sock_filter[], as bytes
  uint64_t flags = 0;   // of seccomp(2): SECCOMP_FILTER_FLAG_*
};

// As runc does: system calls that libseccomp does not know are passed over, rules of the default action too; system
// calls newer than the newest that the profile names fail with ENOSYS, so that programs fall back to older ones.
// Errors: Code::invalid with the path, "linux.seccomp.syscalls[3].action: ...".
Result<SeccompFilter> compile_seccomp(const Value& seccomp);

// Remembers the last few: containers of a node share their profiles.
class SeccompCache {
 public:
  Result<SeccompFilter> compile(const Value& seccomp);

 private:
  std::vector<std::pair<Value, SeccompFilter>> entries_;
};

}  // namespace orch::sys
