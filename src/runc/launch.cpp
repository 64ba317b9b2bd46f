#include "runc/launch.h"

#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <string>

#include "linux/raw.h"
#include "runtime/shim_launcher.h"
#include "runtime/shim_program.h"
#include "steps/report.h"

namespace orch::runc {

namespace {

using steps::Report;

struct Pipe {
  sys::Fd read, write;
};

// Above the descriptors that the container's program is to get.
Result<sys::Fd> moved_up(sys::Fd fd, unsigned preserved) {
  sys::Fd high(::fcntl(fd.get(), F_DUPFD_CLOEXEC, static_cast<int>(3 + preserved)));
  if (!high.ok()) return Error::from_errno(errno, "dup");
  return high;
}

Result<Pipe> open_pipe(unsigned preserved) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Error::from_errno(errno, "pipe");
  Pipe pipe{sys::Fd(ends[0]), sys::Fd(ends[1])};
  TRY(pipe.read, moved_up(std::move(pipe.read), preserved));
  TRY(pipe.write, moved_up(std::move(pipe.write), preserved));
  return pipe;
}

struct Descriptors {
  sys::Fd program, steps;
  Pipe report, meeting;
  int console = -1, start = -1;
};

pid_t start_shim(const LaunchRequest& request, const Descriptors& fds) {
  const std::array<std::string, 9> words = {"orch-shim",
                                            "spawn",
                                            std::to_string(fds.steps.get()),
                                            std::to_string(fds.report.write.get()),
                                            std::to_string(fds.console),
                                            std::to_string(fds.start),
                                            std::to_string(request.preserved_fds),
                                            request.terminal ? "1" : "0",
                                            std::to_string(fds.meeting.read.get())};
  std::array<char*, 10> arguments{};
  for (size_t i = 0; i < words.size(); ++i) arguments[i] = const_cast<char*>(words[i].c_str());
  char* environment[] = {nullptr};
  // Nothing but system calls until the shim's program: no copy of our page tables is needed for them.
  const pid_t pid = ::vfork();
  if (pid != 0) return pid;
  for (int fd : {fds.steps.get(), fds.report.write.get(), fds.meeting.read.get(), fds.console, fds.start}) {
    if (fd >= 0) ::fcntl(fd, F_SETFD, 0);
  }
  ::fexecve(fds.program.get(), arguments.data(), environment);
  ::_exit(127);
}

// The next report; nullopt where the shim has gone.
Result<Report> read_report(int fd) {
  Report report;
  size_t used = 0;
  while (used < sizeof report) {
    const ssize_t n = ::read(fd, reinterpret_cast<char*>(&report) + used, sizeof report - used);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Error::make(Code::internal, "the shim ended without a word");
    used += static_cast<size_t>(n);
  }
  report.text[sizeof report.text - 1] = '\0';
  return report;
}

Result<pid_t> follow(const LaunchRequest& request, const Descriptors& fds) {
  for (;;) {
    TRY(const Report report, read_report(fds.report.read.get()));
    switch (report.what) {
      case Report::What::ready: return report.code;
      case Report::What::failed: return Error::make(Code::internal, report.text);
      case Report::What::refused: break;
      case Report::What::met:
        if (request.on_meet) TRY_VOID(request.on_meet(report.code));
        sys::write_all(fds.meeting.write.get(), "g");
    }
  }
}

}  // namespace

Result<pid_t> launch(const LaunchRequest& request) {
  TRY_VOID(steps::check_steps(request.steps));
  const unsigned preserved = request.preserved_fds;
  Descriptors fds;
  TRY(fds.program, runtime::open_shim_program());
  TRY(fds.program, moved_up(std::move(fds.program), preserved));
  TRY(fds.steps, runtime::memory_file(steps::encode_steps(request.steps)));
  TRY(fds.steps, moved_up(std::move(fds.steps), preserved));
  TRY(fds.report, open_pipe(preserved));
  TRY(fds.meeting, open_pipe(preserved));
  fds.console = request.console_socket;
  fds.start = request.start_fifo;
  const pid_t shim = start_shim(request, fds);
  if (shim < 0) return Error::from_errno(errno, "fork");
  fds.report.write.reset();
  fds.meeting.read.reset();
  auto pid = follow(request, fds);
  // A process that waits to go on ends itself when nobody is left to tell it.
  fds.meeting.write.reset();
  while (::waitpid(shim, nullptr, 0) < 0 && errno == EINTR) continue;
  return pid;
}

}  // namespace orch::runc
