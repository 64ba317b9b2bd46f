#include "wire/resolver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "loop/fd.h"
#include "loop/scope.h"

namespace orch::wire {
namespace {

using loop::Task;

// A DNS server that knows a few names: "four." A 192.0.2.4, "six." AAAA 2001:db8::6, "mute." gets no answer, others
// do not exist.
class Responder {
 public:
  explicit Responder(loop::UvLoop& loop) {
    fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    watch_.emplace(loop, fd_, [this] { answer(); });
  }
  ~Responder() {
    watch_.reset();
    ::close(fd_);
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  int asked = 0;

 private:
  void answer() {
    char buffer[512];
    sockaddr_in from{};
    socklen_t from_size = sizeof from;
    ssize_t n = ::recvfrom(fd_, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &from_size);
    if (n < 17) return;
    ++asked;
    std::string query(buffer, static_cast<size_t>(n));
    std::string name;
    size_t at = 12;
    while (query[at] != '\0') {
      auto size = static_cast<size_t>(query[at]);
      name += query.substr(at + 1, size) + ".";
      at += size + 1;
    }
    auto type = static_cast<uint8_t>(query[at + 2]);
    std::string question = query.substr(12, at + 5 - 12);
    if (name == "mute.") return;
    std::string data;
    if (name == "four." && type == 1) data = std::string("\xC0\x00\x02\x04", 4);
    if (name == "six." && type == 28) data = std::string("\x20\x01\x0D\xB8", 4) + std::string(11, '\0') + "\x06";
    bool known = name == "four." || name == "six.";
    std::string reply = query.substr(0, 2) + std::string("\x81", 1) + std::string(1, known ? '\x80' : '\x83') +
                        std::string("\0\1", 2) + std::string(data.empty() ? "\0\0" : "\0\1", 2) + std::string(4, '\0') + question;
    if (!data.empty()) {
      reply += std::string("\xC0\x0C\0", 3) + static_cast<char>(type) + std::string("\0\1\0\0\0\x3C\0", 7) +
               static_cast<char>(data.size()) + data;
    }
    ::sendto(fd_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), from_size);
  }
  int fd_ = -1;
  uint16_t port_ = 0;
  std::optional<loop::FdWatch> watch_;
};

struct Answer {
  std::vector<std::string> addresses;
  std::optional<Error> error;
};

Task<void> ask(DnsResolver& resolver, std::string name, Answer& answer) {
  auto found = co_await resolver.resolve(name).result();
  if (found.ok()) {
    answer.addresses = *found;
  } else {
    answer.error = found.error();
  }
}

struct World {
  loop::UvLoop loop;
  Responder responder{loop};
  DnsResolver resolver{loop, {responder.address(), 50ms, 2}};
  Answer ask_for(std::string name) {
    Answer answer;
    REQUIRE(loop.run(ask(resolver, name, answer)).ok());
    return answer;
  }
};

TEST_CASE("names have their addresses of both families") {
  World world;
  CHECK(world.ask_for("four.").addresses == std::vector<std::string>{"192.0.2.4"});
  CHECK(world.ask_for("six.").addresses == std::vector<std::string>{"2001:db8::6"});
  CHECK(world.ask_for("localhost").addresses.size() >= 1);
}

TEST_CASE("a name nobody knows, and a server that does not answer, are told apart") {
  World world;
  auto missing = world.ask_for("none.");
  REQUIRE(missing.error);
  CHECK(missing.error->is(Code::not_found));
  CHECK(missing.error->message() == "lookup none.: no such host");
  auto mute = world.ask_for("mute.");
  REQUIRE(mute.error);
  CHECK(mute.error->is(Code::unavailable));
  CHECK(world.responder.asked >= 4);  // asked twice, for both families
}

TEST_CASE("a lookup that is given up, and a resolver that goes first, harm nobody") {
  loop::UvLoop loop;
  Responder responder(loop);
  Answer answer;
  {
    auto resolver = std::make_unique<DnsResolver>(loop, ResolverOptions{responder.address(), 10s, 1});
    loop::Scope scope(loop);
    scope.spawn(ask(*resolver, "mute.", answer));
    scope.cancel();
    scope.spawn(ask(*resolver, "mute.", answer));
    resolver.reset();
    REQUIRE(loop.run(scope.join()).ok());
  }
  REQUIRE(answer.error);
  CHECK(answer.error->is(Code::unavailable));
}

}  // namespace
}  // namespace orch::wire
