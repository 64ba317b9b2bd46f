#pragma once
// System calls that glibc 2.36 has no wrapper for, and the small helpers around files and descriptors that the shim and
// the runtime share. Nothing here allocates or throws; results are the kernel's, -1 with errno, unless it says otherwise.

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace orch::sys {

// clone3(2). `args` may ask for CLONE_PIDFD and CLONE_INTO_CGROUP. 0 in the child.
inline pid_t clone3(clone_args& args) { return static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args)); }
inline int pidfd_open(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }
inline int pidfd_send_signal(int pidfd, int signal) {
  return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}
inline int openat2(int directory, const char* path, uint64_t flags, uint64_t resolve, uint64_t mode = 0) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.mode = mode;
  how.resolve = resolve;
  return static_cast<int>(::syscall(SYS_openat2, directory, path, &how, sizeof how));
}
inline int open_tree(int directory, const char* path, unsigned flags) {
  return static_cast<int>(::syscall(SYS_open_tree, directory, path, flags | OPEN_TREE_CLOEXEC));
}
inline int move_mount(int from, int to) {
  constexpr unsigned kEmptyPaths = 0x4 | 0x40;  // MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH
  return static_cast<int>(::syscall(SYS_move_mount, from, "", to, "", kEmptyPaths));
}
inline int set_mount_attributes(int tree, bool recursive, uint64_t set, uint64_t clear, uint64_t propagation) {
  mount_attr attributes{};
  attributes.attr_set = set;
  attributes.attr_clr = clear;
  attributes.propagation = propagation;
  const unsigned flags = AT_EMPTY_PATH | (recursive ? 0x8000U : 0U);  // AT_RECURSIVE
  return static_cast<int>(::syscall(SYS_mount_setattr, tree, "", flags, &attributes, sizeof attributes));
}
inline int fsopen(const char* type) { return static_cast<int>(::syscall(SYS_fsopen, type, 1 /* FSOPEN_CLOEXEC */)); }
inline int fsconfig_text(int fs, const char* key, const char* value) {
  return static_cast<int>(::syscall(SYS_fsconfig, fs, 1 /* FSCONFIG_SET_STRING */, key, value, 0));
}
inline int fsconfig_create(int fs) {
  return static_cast<int>(::syscall(SYS_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, nullptr, nullptr, 0));
}
inline int fsmount(int fs) { return static_cast<int>(::syscall(SYS_fsmount, fs, 1 /* FSMOUNT_CLOEXEC */, 0)); }
inline int pivot_root(const char* root, const char* old) { return static_cast<int>(::syscall(SYS_pivot_root, root, old)); }
inline int close_range(unsigned first, unsigned last, unsigned flags) {
  return static_cast<int>(::syscall(SYS_close_range, first, last, flags));
}
inline constexpr unsigned kCloseRangeCloexec = 4;

// A descriptor that closes itself.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = other.release();
    }
    return *this;
  }
  ~Fd() { reset(); }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

// All of it, through interruptions and short writes. 0, or an errno.
inline int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return 0;
}

// An existing file of the kernel's (cgroupfs, /proc): one write. 0, or an errno.
inline int write_kernel_file(const char* path, std::string_view content) {
  Fd file(::open(path, O_WRONLY | O_CLOEXEC));
  if (!file.ok()) return errno;
  return ::write(file.get(), content.data(), content.size()) < 0 ? errno : 0;
}

// Up to size - 1 bytes with a NUL behind them; the number of bytes, or -1.
inline ssize_t read_small_file(const char* path, char* buffer, size_t size) {
  Fd file(::open(path, O_RDONLY | O_CLOEXEC));
  if (!file.ok()) return -1;
  size_t used = 0;
  while (used + 1 < size) {
    const ssize_t n = ::read(file.get(), buffer + used, size - 1 - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    used += static_cast<size_t>(n);
  }
  buffer[used] = '\0';
  return static_cast<ssize_t>(used);
}

inline constexpr int kMaxFds = 4;

// One datagram with descriptors beside it. 0, or an errno.
inline int send_message(int socket, std::string_view bytes, const int* fds = nullptr, int count = 0) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFds)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (count > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * static_cast<size_t>(count));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * static_cast<size_t>(count));
    std::memcpy(CMSG_DATA(header), fds, sizeof(int) * static_cast<size_t>(count));
  }
  for (;;) {
    if (::sendmsg(socket, &message, MSG_NOSIGNAL) >= 0) return 0;
    if (errno != EINTR) return errno;
  }
}

// The bytes of one datagram (0: the peer has gone) and up to kMaxFds descriptors, -1 where there are fewer.
inline ssize_t receive_message(int socket, char* buffer, size_t size, int* fds) {
  for (int i = 0; i < kMaxFds; ++i) fds[i] = -1;
  iovec part{buffer, size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFds)];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t n;
  do {
    n = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return n;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    std::memcpy(fds, CMSG_DATA(header), sizeof(int) * (count < kMaxFds ? count : kMaxFds));
  }
  return n;
}

}  // namespace orch::sys
