#include "runtime/namespace_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "base/text.h"

namespace orch::runtime {

namespace {

constexpr int kConnectTimeoutMs = 10'000;

// The thread is in another network namespace while this lives.
class Visit {
 public:
  Result<void> enter(const std::string& path) {
    if (path.empty()) return {};
    own_.reset(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    sys::Fd other(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!own_.ok() || !other.ok()) return Error::from_errno(errno, "open the pod's network namespace");
    if (::setns(other.get(), CLONE_NEWNET) != 0) return Error::from_errno(errno, "enter the pod's network namespace");
    entered_ = true;
    return {};
  }
  // A thread that stayed would do others' work in the wrong namespace.
  ~Visit() { ORCH_CHECK(!entered_ || ::setns(own_.get(), CLONE_NEWNET) == 0); }

 private:
  sys::Fd own_;
  bool entered_ = false;
};

Error refused(const std::string& address, uint16_t port, int error) {
  std::string text = to_lower(std::string_view(std::strerror(error)));
  const bool v6 = address.find(':') != std::string::npos;
  return Error::make(Code::unavailable, std::string("dial tcp") + (v6 ? "6 [" + address + "]" : "4 " + address) + ":" +
                                            std::to_string(port) + ": connect: " + text);
}

Result<void> wait_connected(int fd, const std::string& address, uint16_t port) {
  pollfd wait{fd, POLLOUT, 0};
  int ready;
  do ready = ::poll(&wait, 1, kConnectTimeoutMs);
  while (ready < 0 && errno == EINTR);
  if (ready == 0) return refused(address, port, ETIMEDOUT);
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return refused(address, port, error);
  return {};
}

}  // namespace

Result<sys::Fd> connect_in_namespace(const std::string& ns, const std::string& address, uint16_t port) {
  sockaddr_storage target{};
  socklen_t size = 0;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&target);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&target);
  if (::inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    size = sizeof *v4;
  } else if (::inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    size = sizeof *v6;
  } else {
    return Error::make(Code::invalid, quote(address) + " is no IP address");
  }
  sys::Fd socket;
  {
    Visit visit;
    TRY_VOID(visit.enter(ns));
    socket.reset(::socket(target.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  }
  if (!socket.ok()) return Error::from_errno(errno, "socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&target), size) == 0) return socket;
  if (errno != EINPROGRESS) return refused(address, port, errno);
  TRY_VOID(wait_connected(socket.get(), address, port));
  return socket;
}

void set_terminal_size(int fd, TerminalSize size) {
  const winsize window{size.rows, size.columns, 0, 0};
  ::ioctl(fd, TIOCSWINSZ, &window);
}

}  // namespace orch::runtime
