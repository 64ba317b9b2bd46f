#include "plan/oci/default_seccomp.h"

#include <catch2/catch_test_macros.hpp>
#include <set>
#include <string>

namespace orch::plan::oci {
namespace {

std::set<std::string> allowed(const Value& profile) {
  std::set<std::string> names;
  for (const Value& rule : profile["syscalls"].items()) {
    if (rule["action"].as_string() != "SCMP_ACT_ALLOW" || rule.has("args")) continue;
    for (const Value& name : rule["names"].items()) names.emplace(name.as_string());
  }
  return names;
}

TEST_CASE("the default seccomp profile names each call once") {
  const Value first = default_seccomp(0)["syscalls"].at(0);
  CHECK(allowed(default_seccomp(0)).size() == first["names"].size());
}

TEST_CASE("the default seccomp profile grows with the capabilities, and only with them") {
  const auto none = allowed(default_seccomp(0)), all = allowed(default_seccomp(~uint64_t{0}));
  for (const auto& name : none) CHECK(all.contains(name));
  for (std::string name : {"mount", "setns", "bpf", "reboot", "init_module", "chroot", "clone3", "unshare"}) {
    INFO(name);
    CHECK_FALSE(none.contains(name));
    CHECK(all.contains(name));
  }
  // Never, not even for the mightiest: they are the kernel's own business.
  for (std::string name : {"kexec_load", "keyctl", "add_key", "swapon", "userfaultfd", "io_uring_setup"}) {
    INFO(name);
    CHECK_FALSE(all.contains(name));
  }
}

}  // namespace
}  // namespace orch::plan::oci
