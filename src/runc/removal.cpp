#include "runc/removal.h"

#include <poll.h>

#include <cerrno>
#include <csignal>
#include <filesystem>

#include "linux/raw.h"
#include "runc/hooks.h"
#include "runtime/cgroups.h"

namespace orch::runc {

namespace {

constexpr int kPatienceMs = 10'000;

// cgroup.events changes (and can be polled) when the last process has gone (cgroup-v2.rst).
void wait_until_empty(const std::string& cgroup) {
  sys::Fd events(::open((cgroup + "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
  for (int left = kPatienceMs; events.ok() && left > 0; left -= 100) {
    char text[128] = "";
    const ssize_t n = ::pread(events.get(), text, sizeof text - 1, 0);
    if (n <= 0 || std::string_view(text).find("populated 0") != std::string_view::npos) return;
    pollfd wait{events.get(), POLLPRI, 0};
    ::poll(&wait, 1, 100);
  }
}

}  // namespace

bool wait_for_end(const Container& container) {
  sys::Fd process(sys::pidfd_open(container.pid));
  if (!process.ok() || process_start(container.pid) != container.started) return true;
  pollfd wait{process.get(), POLLIN, 0};
  return ::poll(&wait, 1, kPatienceMs) > 0;
}

Result<void> signal_container(const Container& container, int number, Target target) {
  if (target == Target::all && number == SIGKILL && !container.cgroup.empty()) {
    runtime::kill_cgroup(container.cgroup);
    return {};
  }
  if (target == Target::all) {
    for (pid_t pid : processes_of(container)) ::kill(pid, number);
    return {};
  }
  sys::Fd process(sys::pidfd_open(container.pid));
  // Asked again with the descriptor in hand: the number cannot have become another's.
  if (!process.ok() || process_start(container.pid) != container.started) return Error::make(Code::conflict, "container not running");
  if (sys::pidfd_send_signal(process.get(), number) != 0) return Error::from_errno(errno, "kill");
  return {};
}

void remove_container(const Container& container) {
  if (container.pid > 0 && process_start(container.pid) == container.started) {
    sys::Fd process(sys::pidfd_open(container.pid));
    if (process.ok()) sys::pidfd_send_signal(process.get(), SIGKILL);
    wait_for_end(container);
  }
  if (!container.cgroup.empty() && !runtime::remove_cgroup(container.cgroup)) {
    wait_until_empty(container.cgroup);
    runtime::remove_cgroup(container.cgroup);
  }
  if (auto hooks = run_hooks(container, "poststop", Status::stopped, Where::runtime); !hooks.ok()) {
    sys::write_all(STDERR_FILENO, hooks.error().message() + "\n");
  }
  std::error_code error;
  std::filesystem::remove_all(container.directory, error);
}

}  // namespace orch::runc
