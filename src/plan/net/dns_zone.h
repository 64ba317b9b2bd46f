#pragma once
// DnsZone: what the cluster's DNS answers, per the Kubernetes DNS specification 1.1.0; CoreDNS's habits where that is silent
// (TTL 5 s, names of endpoints without a host name, pods answered for without being looked up). Kept by put and remove;
// answering looks up, it does not search.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/value.h"
#include "plan/net/dns_types.h"

namespace orch::plan::net {

struct DnsZoneOptions {
  std::string domain = "cluster.local";
  Ip dns_address;
  Cidr cluster_cidr, service_cidr;
};

struct DnsAnswer {
  DnsCode code = DnsCode::no_error;
  std::vector<DnsRecord> answers, authority, additional;
  // The last answer is an alias whose own records somebody else has to be asked for.
  bool follow = false;
};

class DnsZone {
 public:
  explicit DnsZone(DnsZoneOptions options);

  void put_namespace(std::string_view name) { namespaces_.insert(std::string(name)); }
  void remove_namespace(std::string_view name) { namespaces_.erase(std::string(name)); }
  // The Service, null when it is gone, and all its EndpointSlices.
  void put_service(std::string_view ns, std::string_view name, const Value& service, const std::vector<Value>& slices);

  // nullopt: not ours, ask others. `name` as the question has it.
  std::optional<DnsAnswer> answer(std::string_view name, uint16_t type) const;
  DnsRecord soa() const;

 private:
  struct Port {
    std::string name, protocol;  // lower case
    uint16_t number = 0;
  };
  struct Endpoint {
    std::string host;  // its label below the Service's name
    Ip ip;
    std::vector<Port> ports;
  };
  struct Service {
    std::string alias;  // ExternalName
    std::vector<Ip> ips;
    std::vector<Port> ports;
    std::vector<Endpoint> endpoints;  // ready ones
    bool headless = false;
  };
  using Labels = std::vector<std::string_view>;  // from the right, the domain left out

  void read_endpoints(const std::vector<Value>& slices, Service& service) const;
  void index(const std::string& key, const Service& service, bool add);
  const Service* find(std::string_view ns, std::string_view name) const;
  std::string host_name(std::string_view key, std::string_view host) const;
  DnsAnswer inside(std::string_view question, const Labels& labels, uint16_t type) const;
  DnsAnswer of_apex(std::string_view question, uint16_t type) const;
  DnsAnswer of_pod(std::string_view question, const Labels& labels, uint16_t type) const;
  DnsAnswer of_service(std::string_view question, const Labels& labels, uint16_t type) const;
  void add_addresses(std::string_view question, const std::vector<Ip>& ips, uint16_t type, DnsAnswer& answer) const;
  void add_srv(std::string_view question, std::string_view key, const Service& service, std::string_view port,
               std::string_view protocol, DnsAnswer& answer) const;
  std::optional<DnsAnswer> reverse(std::string_view question, std::string_view lower, uint16_t type) const;
  DnsAnswer nothing(DnsCode code) const;

  DnsZoneOptions options_;
  std::string suffix_;  // ".cluster.local"
  std::set<std::string, std::less<>> namespaces_;
  std::map<std::string, Service, std::less<>> services_;                // "namespace/name"
  std::map<Ip, std::multiset<std::string>> names_of_;                   // for PTR: full names
};

}  // namespace orch::plan::net
