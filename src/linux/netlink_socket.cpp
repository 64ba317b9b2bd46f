#include "linux/netlink_socket.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include "base/check.h"

namespace orch::sys {

namespace {

// A socket's own memory: a batch of all Services is some megabytes.
constexpr int buffer_size = 64 * 1024 * 1024;
constexpr size_t receive_size = 256 * 1024;
constexpr int patience_ms = 10'000;  // the kernel answers at once; a lost answer must not hang us

void set_option(int fd, int level, int option, int value) { (void)::setsockopt(fd, level, option, &value, sizeof value); }

nlmsghdr* next(nlmsghdr* header, int& left) { return nlmsg_next(header, &left); }

}  // namespace

void Message::Free::operator()(nl_msg* message) const { nlmsg_free(message); }

Message::Message(uint16_t type, uint16_t flags, std::string what, size_t capacity) : message_(nlmsg_alloc_size(capacity)) {
  ORCH_CHECK(message_ != nullptr);
  reset(type, flags, std::move(what));
}

void Message::reset(uint16_t type, uint16_t flags, std::string what) {
  nlmsghdr* header = raw();
  header->nlmsg_len = NLMSG_HDRLEN;
  header->nlmsg_type = type;
  header->nlmsg_flags = static_cast<uint16_t>(flags | NLM_F_REQUEST);
  header->nlmsg_seq = 0;
  header->nlmsg_pid = 0;
  what_ = std::move(what);
  overflown_ = false;
}

nlmsghdr* Message::raw() const { return nlmsg_hdr(message_.get()); }

void Message::append(const void* bytes, size_t size) {
  if (nlmsg_append(message_.get(), const_cast<void*>(bytes), size, NLMSG_ALIGNTO) != 0) overflown_ = true;
}
Message& Message::bytes(int attribute, std::string_view value) {
  if (nla_put(message_.get(), attribute, static_cast<int>(value.size()), value.data()) != 0) overflown_ = true;
  return *this;
}
Message& Message::text(int attribute, std::string_view value) {
  const std::string terminated(value);
  return bytes(attribute, {terminated.c_str(), terminated.size() + 1});
}
Message& Message::u8(int attribute, uint8_t value) { return bytes(attribute, {reinterpret_cast<char*>(&value), 1}); }
Message& Message::u16(int attribute, uint16_t value) {
  return bytes(attribute, {reinterpret_cast<char*>(&value), sizeof value});
}
Message& Message::u32(int attribute, uint32_t value) {
  return bytes(attribute, {reinterpret_cast<char*>(&value), sizeof value});
}
Message& Message::be16(int attribute, uint16_t value) { return u16(attribute, htons(value)); }
Message& Message::be32(int attribute, uint32_t value) { return u32(attribute, htonl(value)); }
Message& Message::be64(int attribute, uint64_t value) {
  value = htobe64(value);
  return bytes(attribute, {reinterpret_cast<char*>(&value), sizeof value});
}

nlattr* Message::begin(int attribute) {
  nlattr* nest = nla_nest_start(message_.get(), attribute);
  if (!nest) overflown_ = true;
  return nest;
}
void Message::end(nlattr* nest) {
  if (nest && nla_nest_end_keep_empty(message_.get(), nest) != 0) overflown_ = true;
}

Attributes Attributes::of(std::string_view attributes) {
  Attributes result;
  auto* at = reinterpret_cast<nlattr*>(const_cast<char*>(attributes.data()));
  int left = static_cast<int>(attributes.size());
  for (; nla_ok(at, left); at = nla_next(at, &left))
    result.list_.emplace_back(nla_type(at),
                              std::string_view(static_cast<const char*>(nla_data(at)), static_cast<size_t>(nla_len(at))));
  return result;
}
Attributes Attributes::of(const nlmsghdr& message, size_t header_size) {
  const size_t skip = NLMSG_HDRLEN + NLMSG_ALIGN(header_size);
  if (message.nlmsg_len <= skip) return {};
  return of({reinterpret_cast<const char*>(&message) + skip, message.nlmsg_len - skip});
}
bool Attributes::has(int attribute) const {
  for (const auto& [type, value] : list_)
    if (type == attribute) return true;
  return false;
}
std::string_view Attributes::bytes(int attribute) const {
  for (const auto& [type, value] : list_)
    if (type == attribute) return value;
  return {};
}
std::string_view Attributes::text(int attribute) const {
  std::string_view value = bytes(attribute);
  return value.substr(0, value.find('\0'));
}
uint32_t Attributes::u32(int attribute) const {
  uint32_t value = 0;
  std::string_view content = bytes(attribute);
  if (content.size() >= sizeof value) std::memcpy(&value, content.data(), sizeof value);
  return value;
}
uint32_t Attributes::be32(int attribute) const { return ntohl(u32(attribute)); }
uint64_t Attributes::be64(int attribute) const {
  uint64_t value = 0;
  std::string_view content = bytes(attribute);
  if (content.size() >= sizeof value) std::memcpy(&value, content.data(), sizeof value);
  return be64toh(value);
}

Acknowledgement read_acknowledgement(const nlmsghdr& message) {
  Acknowledgement result;
  const auto* error = static_cast<const nlmsgerr*>(nlmsg_data(&message));
  if (message.nlmsg_len < NLMSG_LENGTH(sizeof *error)) return {EBADMSG, {}};
  result.error_number = -error->error;
  if (!(message.nlmsg_flags & NLM_F_ACK_TLVS)) return result;
  // Capped (NETLINK_CAP_ACK): of the request only its header is repeated, the attributes follow.
  size_t header_size = sizeof *error;
  if (!(message.nlmsg_flags & NLM_F_CAPPED)) header_size += error->msg.nlmsg_len - NLMSG_HDRLEN;
  result.text = std::string(Attributes::of(message, header_size).text(NLMSGERR_ATTR_MSG));
  return result;
}

namespace {

Error error_of(const Acknowledgement& acknowledgement, const std::string& what) {
  Error error = Error::from_errno(acknowledgement.error_number, what);
  if (acknowledgement.text.empty()) return error;
  // The kernel's words after ours, the errno kept.
  return Error::from_errno(acknowledgement.error_number, what + " (" + acknowledgement.text + ")");
}

}  // namespace

Result<Socket> Socket::open(int protocol) {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd.ok()) return Error::from_errno(errno, "open a netlink socket");
  set_option(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, 1);
  set_option(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, 1);
  set_option(fd.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
  for (int option : {SO_SNDBUFFORCE, SO_RCVBUFFORCE}) set_option(fd.get(), SOL_SOCKET, option, buffer_size);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return Error::from_errno(errno, "bind a netlink socket");
  socklen_t size = sizeof address;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return Error::from_errno(errno, "bind a netlink socket");
  return Socket(std::move(fd), address.nl_pid);
}

Result<Socket> Socket::open_in(int network_namespace, int protocol) {
  std::optional<Socket> socket;
  auto work = [&]() -> Result<void> {
    TRY(Socket opened, open(protocol));
    socket.emplace(std::move(opened));
    return {};
  };
  TRY_VOID(in_network_namespace(network_namespace, work));
  return std::move(*socket);
}

Result<void> Socket::send(std::string_view bytes) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  for (;;) {
    const ssize_t n = ::sendto(fd_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel);
    if (n >= 0) return {};
    if (errno != EINTR) return Error::from_errno(errno, "send to the kernel (" + std::to_string(bytes.size()) + " bytes)");
  }
}

Result<void> Socket::receive(uint32_t sequence, const std::string& what, const std::function<void(const nlmsghdr&)>& each) {
  std::string buffer(receive_size, '\0');
  for (;;) {
    pollfd ready{fd_.get(), POLLIN, 0};
    if (::poll(&ready, 1, patience_ms) == 0) return Error::make(Code::timeout, what + ": the kernel does not answer");
    const ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error::from_errno(errno, what);
    int left = static_cast<int>(n);
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer.data()); nlmsg_ok(header, left); header = next(header, left)) {
      if (header->nlmsg_seq != sequence) continue;
      if (header->nlmsg_type == NLMSG_DONE) return {};
      if (header->nlmsg_type != NLMSG_ERROR) {
        if (each) each(*header);
        continue;
      }
      const Acknowledgement acknowledgement = read_acknowledgement(*header);
      if (acknowledgement.error_number == 0) return {};
      return error_of(acknowledgement, what);
    }
  }
}

Result<void> Socket::request(Message& message) {
  if (message.overflown()) return Error::make(Code::internal, message.what() + ": the message is too large");
  nlmsghdr* header = message.raw();
  header->nlmsg_seq = ++sequence_;
  header->nlmsg_flags |= NLM_F_ACK;
  TRY_VOID(send({reinterpret_cast<char*>(header), header->nlmsg_len}).with_context(message.what()));
  return receive(header->nlmsg_seq, message.what(), {});
}

Result<std::string> Socket::ask(Message& message) {
  nlmsghdr* header = message.raw();
  header->nlmsg_seq = ++sequence_;
  header->nlmsg_flags |= NLM_F_ACK;
  TRY_VOID(send({reinterpret_cast<char*>(header), header->nlmsg_len}).with_context(message.what()));
  std::string reply;
  auto keep = [&reply](const nlmsghdr& answer) { reply.assign(reinterpret_cast<const char*>(&answer), answer.nlmsg_len); };
  TRY_VOID(receive(header->nlmsg_seq, message.what(), keep));
  if (reply.empty()) return Error::make(Code::not_found, message.what() + ": no answer");
  return reply;
}

Result<void> Socket::dump(Message& message, const std::function<void(const nlmsghdr&)>& each) {
  nlmsghdr* header = message.raw();
  header->nlmsg_seq = ++sequence_;
  header->nlmsg_flags |= NLM_F_DUMP;
  TRY_VOID(send({reinterpret_cast<char*>(header), header->nlmsg_len}).with_context(message.what()));
  return receive(header->nlmsg_seq, message.what(), each);
}

// The kernel has worked the batch off when send() returns: what there is to be read are the errors.
Result<void> Socket::transact(std::string bytes, const std::function<std::string(uint32_t)>& what_of) {
  TRY_VOID(send(bytes));
  std::optional<Error> error;
  auto look = [&](const nlmsghdr& header) {
    if (header.nlmsg_type != NLMSG_ERROR || error) return;
    const Acknowledgement acknowledgement = read_acknowledgement(header);
    if (acknowledgement.error_number != 0) error = error_of(acknowledgement, what_of(header.nlmsg_seq));
  };
  if (!drain(look) && !error) return Error::make(Code::io, "nf_tables: answers were lost");
  if (error) return std::move(*error);
  return {};
}

Result<void> Socket::subscribe(int group) {
  if (::setsockopt(fd_.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
    return Error::from_errno(errno, "subscribe to a netlink group");
  return {};
}

bool Socket::drain(const std::function<void(const nlmsghdr&)>& each) {
  std::string buffer(receive_size, '\0');
  bool complete = true;
  for (;;) {
    const ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == ENOBUFS) {
      complete = false;
      continue;
    }
    if (n < 0) return complete;
    int left = static_cast<int>(n);
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer.data()); nlmsg_ok(header, left); header = next(header, left)) each(*header);
  }
}

Result<void> in_network_namespace(int network_namespace, const std::function<Result<void>()>& work) {
  Fd home(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!home.ok()) return Error::from_errno(errno, "open the thread's network namespace");
  if (::setns(network_namespace, CLONE_NEWNET) != 0) return Error::from_errno(errno, "enter a network namespace");
  Result<void> result = work();
  // A thread left in a pod's namespace would do everybody's work there.
  ORCH_CHECK(::setns(home.get(), CLONE_NEWNET) == 0);
  return result;
}

}  // namespace orch::sys
