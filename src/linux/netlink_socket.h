#pragma once
// Netlink over libnl's message functions: a Message is built, a Socket sends it and waits for the kernel's answer.
//
// The kernel works on a request inside send(), so that none of this waits long; links of other namespaces and large batches
// still belong on a worker thread. A Socket is used by one thread at a time.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "linux/raw.h"

struct nl_msg;
struct nlattr;
struct nlmsghdr;

namespace orch::sys {

// One message. `what` it does goes into errors: "add route 10.42.0.0/24: File exists".
class Message {
 public:
  // `flags`: NLM_F_*; NLM_F_REQUEST is always there.
  Message(uint16_t type, uint16_t flags, std::string what, size_t capacity = 4096);
  Message(Message&&) noexcept = default;
  Message& operator=(Message&&) noexcept = default;

  // The family's own header, right behind the netlink header.
  template <class Header>
  Message& header(const Header& header) {
    append(&header, sizeof header);
    return *this;
  }
  Message& bytes(int attribute, std::string_view value);
  Message& text(int attribute, std::string_view value);  // with a NUL
  Message& u8(int attribute, uint8_t value);
  Message& u16(int attribute, uint16_t value);
  Message& u32(int attribute, uint32_t value);
  Message& be16(int attribute, uint16_t value);
  Message& be32(int attribute, uint32_t value);
  Message& be64(int attribute, uint64_t value);
  // nested(A, [&] { ... attributes inside ... })
  template <class F>
  Message& nested(int attribute, F inside) {
    nlattr* nest = begin(attribute);
    inside();
    end(nest);
    return *this;
  }
  void append(const void* bytes, size_t size);

  nlmsghdr* raw() const;
  const std::string& what() const { return what_; }
  // Something did not fit: a bug of the caller's, told when it is sent.
  bool overflown() const { return overflown_; }
  // Starts over with the same memory.
  void reset(uint16_t type, uint16_t flags, std::string what);

 private:
  nlattr* begin(int attribute);
  void end(nlattr* nest);
  struct Free {
    void operator()(nl_msg* message) const;
  };
  std::unique_ptr<nl_msg, Free> message_;
  std::string what_;
  bool overflown_ = false;
};

// The attributes of a message that came, by number; absent ones are empty.
class Attributes {
 public:
  static Attributes of(const nlmsghdr& message, size_t header_size);
  static Attributes of(std::string_view attributes);
  bool has(int attribute) const;
  std::string_view bytes(int attribute) const;
  std::string_view text(int attribute) const;  // without the NUL
  uint32_t u32(int attribute) const;           // 0 where absent
  uint32_t be32(int attribute) const;
  uint64_t be64(int attribute) const;

 private:
  std::vector<std::pair<int, std::string_view>> list_;
};

class Socket {
 public:
  // `protocol`: NETLINK_ROUTE, NETLINK_NETFILTER. In the network namespace of the calling thread.
  static Result<Socket> open(int protocol);
  // In another one. Enters it for a moment: for worker threads.
  static Result<Socket> open_in(int network_namespace, int protocol);
  Socket(Socket&&) noexcept = default;
  Socket& operator=(Socket&&) noexcept = default;

  // Sends and waits for the acknowledgement. Code::io with the errno and the kernel's own words (extended ack).
  Result<void> request(Message& message);
  // The reply to a request that asks for one object.
  Result<std::string> ask(Message& message);
  // Every message of a dump.
  Result<void> dump(Message& message, const std::function<void(const nlmsghdr&)>& each);
  // nf_tables: messages back to back with BEGIN and END around, all or nothing. `what_of` gives a text to the number
  // (sequence) of a message that failed.
  Result<void> transact(std::string bytes, const std::function<std::string(uint32_t)>& what_of);
  // Multicast.
  Result<void> subscribe(int group);
  // What is there now, without waiting; false: messages were lost (ENOBUFS), all may have changed.
  bool drain(const std::function<void(const nlmsghdr&)>& each);
  int fd() const { return fd_.get(); }
  uint32_t port() const { return port_; }  // the sender's address of our messages (nlmsg_pid in notifications)

 private:
  Socket(Fd fd, uint32_t port) : fd_(std::move(fd)), port_(port) {}
  Result<void> send(std::string_view bytes);
  // Up to the acknowledgement or end of dump of `sequence`.
  Result<void> receive(uint32_t sequence, const std::string& what, const std::function<void(const nlmsghdr&)>& each);
  Fd fd_;
  uint32_t port_ = 0;
  uint32_t sequence_ = 0;
};

// The error an NLMSG_ERROR message tells of; 0 errno: an acknowledgement.
struct Acknowledgement {
  int error_number = 0;
  std::string text;  // extended ack
};
Acknowledgement read_acknowledgement(const nlmsghdr& message);

// Runs `work` on this thread inside the namespace and goes back. For worker threads. Aborts if there is no way back.
Result<void> in_network_namespace(int network_namespace, const std::function<Result<void>()>& work);

}  // namespace orch::sys
