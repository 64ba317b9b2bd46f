#pragma once
// Names to addresses over c-ares: /etc/resolv.conf's servers, search domains and options, /etc/hosts first. A static
// glibc binary has no getaddrinfo that does this (loop/uv_network.h).
//
// Owner: whoever has the network it is for; it goes after that, and before the loop. On the loop's thread.

#include <memory>
#include <string>
#include <vector>

#include "loop/uv_loop.h"
#include "loop/uv_network.h"

namespace orch::wire {

struct ResolverOptions {
  std::string servers;  // "127.0.0.1:5353,..."; "": those of /etc/resolv.conf, which is read again when it changes
  Duration timeout = 3s;  // of one try at one server
  int tries = 3;
};

class DnsResolver {
 public:
  explicit DnsResolver(loop::UvLoop& loop, ResolverOptions options = {});
  ~DnsResolver();
  DnsResolver(const DnsResolver&) = delete;
  DnsResolver& operator=(const DnsResolver&) = delete;

  // Literal addresses, best first; at least one. Code::not_found: "lookup x: no such host"; Code::unavailable: no
  // server has answered.
  loop::Task<std::vector<std::string>> resolve(std::string name);
  // For UvNetwork.
  loop::Resolver function() {
    return [this](std::string name) { return resolve(std::move(name)); };
  }

  struct Channel;

 private:
  std::shared_ptr<Channel> channel_;
};

}  // namespace orch::wire
