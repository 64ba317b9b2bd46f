#pragma once
// UvNetwork: TCP and Unix sockets over libuv.
//
// Names: a static glibc binary cannot use getaddrinfo (NSS is loaded at run time). Literal addresses,
// "localhost" and /etc/hosts work always; any other name needs a resolver (wire's DNS), and without one
// connecting fails with Code::not_found.

#include <functional>
#include <string>
#include <vector>

#include "loop/stream.h"
#include "loop/uv_loop.h"

namespace orch::loop {

// Literal addresses for a name, best first.
using Resolver = std::function<Task<std::vector<std::string>>(std::string name)>;

class UvNetwork final : public Network {
 public:
  explicit UvNetwork(UvLoop& loop, Resolver resolver = {}) : loop_(loop), resolver_(std::move(resolver)) {}

  Result<std::unique_ptr<Listener>> listen_tcp(std::string address, uint16_t port) override;
  Result<std::unique_ptr<Listener>> listen_unix(std::string path) override;
  Task<std::unique_ptr<Stream>> connect_tcp(std::string host, uint16_t port) override;
  Task<std::unique_ptr<Stream>> connect_unix(std::string path) override;

 private:
  Task<std::vector<std::string>> resolve(std::string host);
  UvLoop& loop_;
  Resolver resolver_;
};

// The addresses that a hosts file (hosts(5)) has for a name.
std::vector<std::string> find_in_hosts(std::string_view hosts_file, std::string_view name);

}  // namespace orch::loop
