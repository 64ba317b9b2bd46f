#pragma once
// DnsForwarder: asks the host's resolvers what the cluster does not know: over UDP, over TCP where an answer was cut; the
// next resolver where one does not answer. Keeps answers for a while, within a bound. Questions that are the same are asked
// once, so that a resolver that asks us back waits for itself instead of multiplying. On the loop's thread.

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "loop/scope.h"
#include "loop/uv_network.h"
#include "plan/net/dns_types.h"

namespace orch::netd {

// The servers of a resolv.conf(5) text, without `own` addresses.
std::vector<std::string> parse_nameservers(std::string_view text, const std::vector<std::string>& own);

class DnsForwarder {
 public:
  static constexpr size_t cache_bytes = 512 * 1024;
  static constexpr size_t most_pending = 1000;

  // The file is read again when it is older than some seconds: hosts change their networks.
  DnsForwarder(loop::UvLoop& loop, std::string resolv_conf);
  ~DnsForwarder();

  // One of our own.
  void never_ask(const std::string& address) { own_.push_back(address); }
  // TTLs are what is left of them. Code::unavailable: nobody to ask, or too much asked; Code::timeout.
  loop::Task<plan::net::DnsMessage> resolve(plan::net::DnsQuestion question, bool dnssec_ok, bool checking_disabled);
  size_t cached() const { return cache_.size(); }

 private:
  struct Cached {
    plan::net::DnsMessage message;
    Mono at;
    Mono until;
    size_t bytes = 0;
  };
  struct Pending {
    explicit Pending(loop::Loop& loop) : done(loop) {}
    loop::Event done;
    std::optional<Result<plan::net::DnsMessage>> result;
  };
  const plan::net::DnsMessage* find(const std::string& key, plan::net::DnsMessage& aged);
  void keep(const std::string& key, const plan::net::DnsMessage& message, size_t bytes);
  loop::Task<void> run(std::string key, std::string query, std::shared_ptr<Pending> pending);
  loop::Task<std::string> ask(std::string server, std::string query);
  loop::Task<std::string> ask_udp(std::string server, std::string query);
  loop::Task<std::string> ask_tcp(std::string server, std::string query);
  loop::Task<std::vector<std::string>> servers();

  loop::UvLoop& loop_;
  loop::UvNetwork network_;
  std::string resolv_conf_;
  std::vector<std::string> own_, servers_;
  std::optional<Mono> read_at_;
  std::unordered_map<std::string, Cached> cache_;
  std::deque<std::string> order_;  // of the cache, oldest first
  size_t cached_bytes_ = 0;
  std::unordered_map<std::string, std::shared_ptr<Pending>> pending_;
  loop::Scope scope_;
};

}  // namespace orch::netd
