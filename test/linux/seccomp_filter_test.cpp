#include "linux/seccomp_filter.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <catch2/catch_test_macros.hpp>
#include <functional>

#include "data/json.h"
#include "linux/raw.h"
#include "plan/oci/default_seccomp.h"

namespace orch::sys {
namespace {

SeccompFilter compiled(std::string_view json) {
  auto filter = compile_seccomp(parse_json(json).value());
  INFO((filter.ok() ? "" : filter.error().message()));
  REQUIRE(filter.ok());
  return filter.value();
}

std::string error_of(std::string_view json) {
  auto filter = compile_seccomp(parse_json(json).value());
  REQUIRE(!filter.ok());
  return filter.error().message();
}

// What `call` returns in a process under the filter: 0 or its errno; -signal where it is killed.
int under(const SeccompFilter& filter, const std::function<long()>& call) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    std::string bytes = filter.program;
    sock_fprog program{static_cast<unsigned short>(bytes.size() / sizeof(sock_filter)), reinterpret_cast<sock_filter*>(bytes.data())};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ::_exit(254);
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, filter.flags, &program) != 0) ::_exit(255);
    const long result = call();
    ::_exit(result < 0 ? errno : 0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int under_default(uint64_t capabilities, const std::function<long()>& call) {
  return under(compile_seccomp(plan::oci::default_seccomp(capabilities)).value(), call);
}

constexpr uint64_t kAdministrator = uint64_t{1} << 21;

TEST_CASE("a filter denies what it names with the errno it names") {
  const auto filter = compiled(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
    {"names": ["getppid", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 61},
    {"names": ["getuid"], "action": "SCMP_ACT_ERRNO"}]})");
  CHECK(under(filter, [] { return ::syscall(SYS_getppid); }) == 61);
  CHECK(under(filter, [] { return ::syscall(SYS_getuid); }) == EPERM);
  CHECK(under(filter, [] { return ::syscall(SYS_getgid); }) == 0);
}

TEST_CASE("a filter looks at arguments, all of them, or any where one is tested twice") {
  const auto filter = compiled(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
    {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13, "args": [
      {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 2, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ"}]},
    {"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 14, "args": [
      {"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]}]})");
  CHECK(under(filter, [] { return ::syscall(SYS_socket, AF_UNIX, SOCK_DGRAM, 0); }) == 13);
  CHECK(under(filter, [] { return ::syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0); }) == 0);
  CHECK(under(filter, [] { return ::syscall(SYS_getpriority, 0, 0); }) == 14);
  CHECK(under(filter, [] { return ::syscall(SYS_getpriority, 1, 0); }) == 0);
  CHECK(under(filter, [] { return ::syscall(SYS_getpriority, 2, 0); }) == 14);
}

TEST_CASE("a filter can kill") {
  const auto filter = compiled(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
    {"names": ["getppid"], "action": "SCMP_ACT_KILL_PROCESS"}]})");
  CHECK(under(filter, [] { return ::syscall(SYS_getppid); }) == -SIGSYS);
}

TEST_CASE("calls newer than a profile do not exist for its programs") {
  // What the process needs to end (the sanitizers' part included).
  const auto filter = compiled(R"({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 77, "syscalls": [
    {"names": ["exit_group", "mmap", "munmap", "sigaltstack", "fchmodat2"], "action": "SCMP_ACT_ALLOW"}]})");
  CHECK(under(filter, [] { return ::syscall(470, 0, 0, 0, 0); }) == ENOSYS);
  CHECK(under(filter, [] { return ::syscall(SYS_getppid); }) == 77);
  // Named, though libseccomp has no number for it: the kernel answers.
  CHECK(under(filter, [] { return ::syscall(452, -1, "x", 0, 0); }) == EBADF);
  // Known to the profile's author, and not allowed.
  CHECK(under(filter, [] { return ::syscall(451, -1, nullptr, nullptr, 0); }) == 77);
}

TEST_CASE("the default profile lets programs run and keeps them from what is the node's") {
  CHECK(under_default(0, [] { return ::syscall(SYS_getpid); }) == 0);
  CHECK(under_default(0, [] { return ::syscall(SYS_unshare, CLONE_NEWUSER); }) == EPERM);
  CHECK(under_default(0, [] { return ::syscall(SYS_mount, "", "/nonexistent", "", 0, nullptr); }) == EPERM);
  CHECK(under_default(0, [] { return ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr); }) == EPERM);
  CHECK(under_default(0, [] { return ::syscall(SYS_clone3, nullptr, 0); }) == ENOSYS);
  CHECK(under_default(0, [] { return ::syscall(SYS_keyctl, 0, 0); }) == EPERM);
  CHECK(under_default(0, [] { return ::syscall(SYS_personality, 0xffffffff); }) == 0);
  CHECK(under_default(0, [] { return ::syscall(SYS_personality, 0x0400000); }) == EPERM);
  CHECK(under_default(0, [] { return ::syscall(SYS_socket, 40, SOCK_STREAM, 0); }) == EPERM);
  CHECK(under_default(0, [] { return ::syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0); }) == 0);
}

TEST_CASE("the default profile allows with a capability what belongs to it") {
  CHECK(under_default(kAdministrator, [] { return ::syscall(SYS_mount, "", "/nonexistent", "", 0, nullptr); }) == ENOENT);
  CHECK(under_default(kAdministrator, [] { return ::syscall(SYS_clone3, nullptr, 0); }) == EINVAL);
  CHECK(under_default(0, [] { return ::syscall(SYS_chroot, "/nonexistent"); }) == EPERM);
  CHECK(under_default(uint64_t{1} << 18, [] { return ::syscall(SYS_chroot, "/nonexistent"); }) == ENOENT);
}

TEST_CASE("mistakes in a profile are named by their path") {
  CHECK(error_of(R"({"defaultAction": "SCMP_ACT_NONE"})") == R"(linux.seccomp.defaultAction: unknown action "SCMP_ACT_NONE")");
  CHECK(error_of(R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_Z80"]})") ==
        R"(linux.seccomp.architectures[0]: unknown architecture "SCMP_ARCH_Z80")");
  CHECK(error_of(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO",
                     "args": [{"index": 6, "op": "SCMP_CMP_EQ"}]}]})") ==
        "linux.seccomp.syscalls[0].args[0].index: a system call has the arguments 0 to 5");
  CHECK(error_of(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_NOTIFY"}]})") ==
        "linux.seccomp.syscalls[0].action: SCMP_ACT_NOTIFY needs a listener, which orch does not offer");
  CHECK(error_of(R"({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_MAGIC"]})") ==
        R"(linux.seccomp.flags: orch has no "SECCOMP_FILTER_FLAG_MAGIC")");
  CHECK(error_of(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_KILL", "errnoRet": 1}]})") ==
        "linux.seccomp.syscalls[0].action: only SCMP_ACT_ERRNO and SCMP_ACT_TRACE take an errnoRet");
}

TEST_CASE("a profile that is compiled again is remembered") {
  SeccompCache cache;
  const Value profile = plan::oci::default_seccomp(0);
  const auto first = cache.compile(profile).value();
  CHECK(cache.compile(profile).value().program == first.program);
  CHECK(!cache.compile(parse_json(R"({"defaultAction": "nope"})").value()).ok());
}

}  // namespace
}  // namespace orch::sys
