#include "runtime/shim_launcher.h"

#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "steps/protocol.h"
#include "steps/report.h"

namespace orch::runtime {

namespace {

constexpr int kReadyTimeoutMs = 20'000;

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() + 1 > sizeof address.sun_path) return Error::make(Code::io, "the socket's path is too long: " + path);
  path.copy(address.sun_path, path.size());
  return address;
}

Result<sys::Fd> listen_at(const std::string& path) {
  TRY(sockaddr_un address, address_of(path));
  sys::Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.ok()) return Error::from_errno(errno, "socket");
  ::unlink(path.c_str());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(socket.get(), 16) != 0) {
    return Error::from_errno(errno, "listen on " + path);
  }
  return socket;
}

// Above the numbers that the shim wants, so that no dup2 of ours overwrites another.
Result<sys::Fd> out_of_the_way(int fd) {
  sys::Fd high(::fcntl(fd, F_DUPFD_CLOEXEC, 16));
  if (!high.ok()) return Error::from_errno(errno, "dup");
  return high;
}

class SpawnSettings {
 public:
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

Result<pid_t> spawn_shim(const LaunchRequest& request, int listener, int steps, int ready) {
  TRY(sys::Fd high_listener, out_of_the_way(listener));
  TRY(sys::Fd high_steps, out_of_the_way(steps));
  TRY(sys::Fd high_ready, out_of_the_way(ready));
  TRY(sys::Fd program, out_of_the_way(request.program));
  SpawnSettings settings;
  for (int standard = 0; standard < 3; ++standard) {
    ::posix_spawn_file_actions_addopen(&settings.actions, standard, "/dev/null", O_RDWR, 0);
  }
  ::posix_spawn_file_actions_adddup2(&settings.actions, high_listener.get(), steps::kListenerFd);
  ::posix_spawn_file_actions_adddup2(&settings.actions, high_steps.get(), steps::kStepsFd);
  ::posix_spawn_file_actions_adddup2(&settings.actions, high_ready.get(), steps::kReadyFd);
  char name[] = "orch-shim", mode[] = "pod", shared[] = "shared-pid";
  char* arguments[] = {name, mode, request.shared_pid_namespace ? shared : nullptr, nullptr};
  char* environment[] = {nullptr};
  const std::string path = "/proc/self/fd/" + std::to_string(program.get());
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, path.c_str(), &settings.actions, &settings.attributes, arguments, environment);
  if (error != 0) return Error::from_errno(error, "start of the pod's shim");
  return pid;
}

Result<steps::Report> wait_ready(int fd) {
  steps::Report report;
  size_t used = 0;
  while (used < sizeof report) {
    pollfd wait{fd, POLLIN, 0};
    const int ready = ::poll(&wait, 1, kReadyTimeoutMs);
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return Error::make(Code::timeout, "the pod's shim did not get ready within 20 s");
    const ssize_t n = ::read(fd, reinterpret_cast<char*>(&report) + used, sizeof report - used);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Error::make(Code::internal, "the pod's shim ended before it was ready");
    used += static_cast<size_t>(n);
  }
  report.text[sizeof report.text - 1] = '\0';
  if (report.what != steps::Report::What::ready) return Error::make(Code::internal, std::string("sandbox: ") + report.text);
  return report;
}

}  // namespace

Result<sys::Fd> memory_file(std::string_view bytes) {
  sys::Fd file(::memfd_create("orch-steps", MFD_CLOEXEC));
  if (!file.ok()) return Error::from_errno(errno, "memfd_create");
  if (const int error = sys::write_all(file.get(), bytes)) return Error::from_errno(error, "write to memory");
  return file;
}

Result<Launched> launch_shim(const LaunchRequest& request) {
  TRY(sys::Fd listener, listen_at(request.socket));
  TRY(sys::Fd steps, memory_file(request.steps));
  int ready[2];
  if (::pipe2(ready, O_CLOEXEC) != 0) return Error::from_errno(errno, "pipe");
  sys::Fd ready_read(ready[0]), ready_write(ready[1]);
  auto pid = spawn_shim(request, listener.get(), steps.get(), ready_write.get());
  ready_write.reset();
  Result<steps::Report> report = pid.ok() ? wait_ready(ready_read.get()) : Result<steps::Report>(pid.error());
  if (report.ok()) return Launched{*pid, report->code};
  if (pid.ok()) {
    ::kill(*pid, SIGKILL);
    ::waitpid(*pid, nullptr, 0);
  }
  ::unlink(request.socket.c_str());
  return report.error();
}

Result<sys::Fd> connect_shim(const std::string& path) {
  TRY(sockaddr_un address, address_of(path));
  sys::Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.ok()) return Error::from_errno(errno, "socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    Error error = Error::from_errno(errno, "connect to the shim at " + path);
    return errno == ENOENT || errno == ECONNREFUSED ? std::move(error).with_code(Code::not_found) : error;
  }
  return socket;
}

}  // namespace orch::runtime
