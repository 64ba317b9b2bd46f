#include "linux/kernel_trials.h"

#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "linux/raw.h"

namespace orch::sys {

namespace {

// The errno that `attempt` gives in a child of ours.
template <class F>
int in_a_child(F attempt) {
  const pid_t pid = ::fork();
  if (pid < 0) return errno;
  if (pid == 0) ::_exit(attempt());
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

int unshare_error(int flags) { return ::unshare(flags) == 0 ? 0 : errno; }

// One message and its answer: the error that the kernel acknowledges it with (netlink(7)).
int ask_netlink(int protocol, const void* message, size_t size) {
  Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!socket.ok()) return errno;
  if (::send(socket.get(), message, size, 0) < 0) return errno;
  alignas(nlmsghdr) char answer[8192];
  const ssize_t n = ::recv(socket.get(), answer, sizeof answer, 0);
  if (n < static_cast<ssize_t>(sizeof(nlmsghdr))) return n < 0 ? errno : EIO;
  nlmsghdr head;
  std::memcpy(&head, answer, sizeof head);
  if (head.nlmsg_type != NLMSG_ERROR) return 0;
  nlmsgerr error;
  std::memcpy(&error, answer + NLMSG_HDRLEN, sizeof error);
  return -error.error;
}

// Attributes behind a netlink header.
class Message {
 public:
  template <class Head>
  Message(uint16_t type, uint16_t flags, const Head& head) {
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
    put(&header, sizeof header);
    put(&head, sizeof head);
  }
  void attribute(uint16_t type, const void* content, size_t size) {
    const rtattr head{static_cast<uint16_t>(RTA_LENGTH(size)), type};
    put(&head, sizeof head);
    put(content, size);
  }
  size_t begin(uint16_t type) {
    const size_t at = used_;
    const rtattr head{RTA_LENGTH(0), type};
    put(&head, sizeof head);
    return at;
  }
  void end(size_t at) {
    const auto length = static_cast<uint16_t>(used_ - at);
    std::memcpy(bytes_ + at, &length, sizeof length);
  }
  int send(int protocol) {
    const auto length = static_cast<uint32_t>(used_);
    std::memcpy(bytes_, &length, sizeof length);
    return ask_netlink(protocol, bytes_, used_);
  }

 private:
  void put(const void* content, size_t size) {
    std::memcpy(bytes_ + used_, content, size);
    used_ += NLMSG_ALIGN(size);
  }
  alignas(nlmsghdr) char bytes_[512] = {};
  size_t used_ = 0;
};

int make_link(const char* kind) {
  if (const int error = unshare_error(CLONE_NEWNET)) return error;
  Message message(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  message.attribute(IFLA_IFNAME, "trial0", 7);
  const size_t info = message.begin(IFLA_LINKINFO);
  message.attribute(IFLA_INFO_KIND, kind, std::strlen(kind));
  const size_t data = message.begin(IFLA_INFO_DATA);
  if (std::string_view(kind) == "vxlan") {
    const uint32_t id = 1;
    message.attribute(IFLA_VXLAN_ID, &id, sizeof id);
  }
  message.end(data);
  message.end(info);
  return message.send(NETLINK_ROUTE);
}

int ask_nf_tables() {
  if (const int error = unshare_error(CLONE_NEWNET)) return error;
  constexpr uint16_t kGetGeneration = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
  return Message(kGetGeneration, NLM_F_ACK, nfgenmsg{AF_UNSPEC, NFNETLINK_V0, 0}).send(NETLINK_NETFILTER);
}

int mount_overlay() {
  if (const int error = unshare_error(CLONE_NEWNS)) return error;
  if (::mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr) != 0) return errno;
  if (::mount("trial", "/tmp", "tmpfs", 0, nullptr) != 0) return errno;
  for (const char* directory : {"/tmp/lower", "/tmp/upper", "/tmp/work", "/tmp/merged"}) {
    if (::mkdir(directory, 0700) != 0) return errno;
  }
  return ::mount("trial", "/tmp/merged", "overlay", 0, "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work") == 0 ? 0 : errno;
}

}  // namespace

int try_unshare(uint64_t flags) {
  return in_a_child([flags] { return unshare_error(static_cast<int>(flags)); });
}

int try_overlay() { return in_a_child(mount_overlay); }

int try_nf_tables() { return in_a_child(ask_nf_tables); }

int try_link(const char* kind) {
  return in_a_child([kind] { return make_link(kind); });
}

}  // namespace orch::sys
