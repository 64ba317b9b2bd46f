#include "runc/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>

#include <optional>

namespace orch::runc {

Result<ConsoleSocket> ConsoleSocket::connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() + 1 > sizeof address.sun_path) return Error::make(Code::invalid, "the console socket's path is too long: " + path);
  path.copy(address.sun_path, path.size());
  ConsoleSocket socket;
  socket.theirs_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.theirs_.ok()) return Error::from_errno(errno, "socket");
  if (::connect(socket.theirs_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Error::from_errno(errno, "connect to the console socket " + path);
  }
  return socket;
}

Result<ConsoleSocket> ConsoleSocket::own() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return Error::from_errno(errno, "socketpair");
  ConsoleSocket socket;
  socket.ours_.reset(ends[0]);
  socket.theirs_.reset(ends[1]);
  return socket;
}

Result<sys::Fd> ConsoleSocket::receive() {
  theirs_.reset();
  char name[64];
  int fds[sys::kMaxFds];
  if (sys::receive_message(ours_.get(), name, sizeof name, fds) <= 0 || fds[0] < 0) {
    return Error::make(Code::internal, "no terminal came back from the container");
  }
  return sys::Fd(fds[0]);
}

void become_subreaper() { ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

namespace {

// Standard input without line editing while it lives.
class RawMode {
 public:
  RawMode() {
    if (::tcgetattr(0, &before_) != 0) return;
    termios raw = before_;
    ::cfmakeraw(&raw);
    changed_ = ::tcsetattr(0, TCSANOW, &raw) == 0;
  }
  ~RawMode() {
    if (changed_) ::tcsetattr(0, TCSANOW, &before_);
  }
  RawMode(const RawMode&) = delete;
  RawMode& operator=(const RawMode&) = delete;

 private:
  termios before_{};
  bool changed_ = false;
};

void copy_size(int master) {
  winsize size{};
  if (::ioctl(0, TIOCGWINSZ, &size) == 0) ::ioctl(master, TIOCSWINSZ, &size);
}

// False at the end of what there is to read.
bool pump(int from, int to) {
  char buffer[8192];
  const ssize_t n = ::read(from, buffer, sizeof buffer);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  return n > 0 && sys::write_all(to, {buffer, static_cast<size_t>(n)}) == 0;
}

// The exit code once `pid` has ended; other orphans are reaped on the way.
std::optional<int> reap(pid_t pid) {
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, WNOHANG);
    if (ended < 0 && errno == ECHILD) return 255;
    if (ended <= 0) return std::nullopt;
    if (ended == pid) return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
}

void handle_signal(int signals, pid_t pid, int master) {
  signalfd_siginfo info{};
  if (::read(signals, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return;
  const int number = static_cast<int>(info.ssi_signo);
  if (number == SIGCHLD) return;
  if (number == SIGWINCH && master >= 0) return copy_size(master);
  ::kill(pid, number);
}

}  // namespace

int supervise(pid_t pid, int master) {
  sigset_t all;
  ::sigfillset(&all);
  for (int own : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGPIPE, SIGURG, SIGTSTP, SIGTTIN, SIGTTOU}) ::sigdelset(&all, own);
  ::sigprocmask(SIG_BLOCK, &all, nullptr);
  sys::Fd signals(::signalfd(-1, &all, SFD_CLOEXEC));
  std::optional<RawMode> raw;
  if (master >= 0) {
    raw.emplace();
    copy_size(master);
  }
  pollfd watched[3] = {{signals.get(), POLLIN, 0}, {master, POLLIN, 0}, {master >= 0 ? 0 : -1, POLLIN, 0}};
  std::optional<int> code;
  while (!(code = reap(pid))) {
    if (::poll(watched, 3, -1) < 0) continue;
    if (watched[0].revents != 0) handle_signal(signals.get(), pid, master);
    if (watched[1].revents != 0 && !pump(master, 1)) watched[1].fd = -1;
    if (watched[2].revents != 0 && !pump(0, master)) watched[2].fd = -1;
  }
  // What it wrote last is still in the terminal; EIO ends it.
  if (watched[1].fd >= 0) ::fcntl(master, F_SETFL, O_NONBLOCK);
  for (char buffer[8192]; watched[1].fd >= 0;) {
    const ssize_t n = ::read(master, buffer, sizeof buffer);
    if (n <= 0 || sys::write_all(1, {buffer, static_cast<size_t>(n)}) != 0) break;
  }
  return *code;
}

}  // namespace orch::runc
