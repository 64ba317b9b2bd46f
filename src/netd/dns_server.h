#pragma once
// DnsServer: the cluster's DNS on this node, over UDP and TCP. Answers for Services and pods from a DnsZone that the informers
// keep, asks a DnsForwarder for the rest. Until everything is known once, names of the cluster are a server failure: a name
// that seems not to be is remembered by those who ask.

#include <memory>
#include <set>
#include <string>

#include "base/log.h"
#include "client/informers.h"
#include "loop/scope.h"
#include "loop/udp.h"
#include "loop/uv_network.h"
#include "netd/dns_forwarder.h"
#include "plan/net/dns_zone.h"

namespace orch::netd {

class DnsServer {
 public:
  // Adds its types to the informers: before they start.
  DnsServer(loop::UvLoop& loop, client::Informers& informers, Logger logger, plan::net::DnsZoneOptions options,
            std::string resolv_conf);
  ~DnsServer();

  // UDP and TCP, port 53. Code::io where the port is taken.
  Result<void> listen(const std::string& address, uint16_t port = 53);
  void close();

 private:
  struct Query;
  using Reply = std::function<void(std::string)>;

  void hear(const plan::Type& type, const Value& old, const Value& now);
  void update_zone();
  loop::Task<void> follow_sync();
  void handle(std::string_view bytes, size_t limit, Reply reply);
  void answer_from_zone(plan::net::DnsMessage& response, plan::net::DnsAnswer answer);
  loop::Task<void> answer_later(plan::net::DnsMessage query, plan::net::DnsMessage response, size_t limit, Reply reply);
  loop::Task<void> follow_alias(plan::net::DnsMessage query, plan::net::DnsMessage& response);
  loop::Task<void> serve_tcp(loop::Listener& listener);
  loop::Task<void> serve_connection(std::unique_ptr<loop::Stream> stream);

  loop::UvLoop& loop_;
  client::Informers& informers_;
  Logger logger_;
  loop::UvNetwork network_;
  plan::net::DnsZone zone_;
  std::set<std::string> dirty_;  // "namespace/name" of Services
  bool synced_ = false;
  uint64_t turn_ = 0;  // addresses of a name are given in turn
  size_t connections_ = 0;
  DnsForwarder forwarder_;
  std::vector<std::unique_ptr<loop::UdpSocket>> sockets_;
  std::vector<std::unique_ptr<loop::Listener>> listeners_;
  loop::Scope scope_;  // last: its tasks use the others
};

}  // namespace orch::netd
