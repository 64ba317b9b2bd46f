#include "plan/net/service_rules.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "data/hash.h"
#include "plan/core/object.h"

namespace orch::plan::net {

namespace {

constexpr std::string_view proxy_name_label = "service.kubernetes.io/service-proxy-name";
constexpr uint32_t default_affinity_seconds = 10800;
constexpr size_t longest_name = 120;  // nft(8) knows 127

struct Endpoint {
  Backend backend;
  bool ready = true, serving = true, terminating = false;
  bool local = false;
};

std::optional<Ip> ipv4_of(std::string_view text) {
  auto ip = parse_ip(text);
  if (!ip || ip->v6 || ip->is_unspecified()) return std::nullopt;
  return ip;
}

std::optional<Ip> cluster_ip_of(const Value& service) {
  if (auto ip = ipv4_of(service["spec"]["clusterIP"].as_string())) return ip;
  for (const Value& entry : service["spec"]["clusterIPs"].items())
    if (auto ip = ipv4_of(entry.as_string())) return ip;
  return std::nullopt;
}

// externalIPs, and those of the load balancer's that the node shall answer for (KEP-1860).
std::vector<Ip> external_ips(const Value& service) {
  std::set<Ip> ips;
  for (const Value& entry : service["spec"]["externalIPs"].items())
    if (auto ip = ipv4_of(entry.as_string())) ips.insert(*ip);
  return {ips.begin(), ips.end()};
}
std::vector<Ip> balancer_ips(const Value& service) {
  std::set<Ip> ips;
  for (const Value& entry : service["status"]["loadBalancer"]["ingress"].items()) {
    if (entry["ipMode"].as_string("VIP") != "VIP") continue;
    if (auto ip = ipv4_of(entry["ip"].as_string())) ips.insert(*ip);
  }
  return {ips.begin(), ips.end()};
}

// --- endpoints

std::vector<Endpoint> endpoints_of(const std::vector<Value>& slices, std::string_view port_name, std::string_view node) {
  std::vector<Endpoint> endpoints;
  for (const Value& slice : slices) {
    if (slice["addressType"].as_string("IPv4") != "IPv4" || is_deleting(slice)) continue;
    for (const Value& port : slice["ports"].items()) {
      if (port["name"].as_string() != port_name) continue;
      for (const Value& entry : slice["endpoints"].items()) {
        auto ip = ipv4_of(entry["addresses"].at(0).as_string());
        if (!ip) continue;
        Endpoint endpoint;
        endpoint.backend = {*ip, static_cast<uint16_t>(port["port"].as_int())};
        const Value& conditions = entry["conditions"];
        endpoint.ready = conditions["ready"].as_bool(true);
        endpoint.serving = conditions["serving"].as_bool(endpoint.ready);
        endpoint.terminating = conditions["terminating"].as_bool(false);
        endpoint.local = !node.empty() && entry["nodeName"].as_string() == node;
        endpoints.push_back(endpoint);
      }
    }
  }
  return endpoints;
}

enum class From : uint8_t { everywhere, this_node };

// The ready ones; where none is, those that still serve though they are about to go (KEP-1669).
std::vector<Backend> usable(const std::vector<Endpoint>& endpoints, From from) {
  auto pick = [&](auto counts) {
    std::set<Backend> backends;  // an endpoint may be in two slices for a moment
    for (const Endpoint& endpoint : endpoints)
      if ((from == From::everywhere || endpoint.local) && counts(endpoint)) backends.insert(endpoint.backend);
    return std::vector<Backend>(backends.begin(), backends.end());
  };
  auto ready = pick([](const Endpoint& e) { return e.ready; });
  if (!ready.empty()) return ready;
  return pick([](const Endpoint& e) { return e.serving && e.terminating; });
}

// --- one port of a Service

std::string bounded(std::string name) {
  if (name.size() <= longest_name) return name;
  return name.substr(0, longest_name - 17) + "-" + sha256_hex(name).substr(0, 16);
}

struct Port {
  const NetworkOptions& options;
  Fragment& fragment;
  std::string suffix;  // "default/web/tcp/80"
  uint8_t protocol;
  uint16_t port;
  uint32_t affinity_seconds;  // 0: none

  std::string name(std::string_view kind) const { return bounded(std::string(kind) + "/" + suffix); }
  void element(std::string_view set, std::string key, Verdict verdict) {
    fragment.elements.push_back({std::string(set), std::move(key), std::move(verdict)});
  }
  std::string key(const Ip& ip) const { return encode_key({ip, protocol, port}); }

  std::string endpoint_chain(const Backend& backend);
  std::string balance(std::string_view kind, const std::vector<Backend>& backends);
};

// Remembers the client and goes to the endpoint. Its name is the endpoint's, so that clients stay where they are while
// other endpoints come and go.
std::string Port::endpoint_chain(const Backend& backend) {
  const std::string where = format_ip(backend.address) + "/" + std::to_string(backend.port);
  const std::string chain = bounded("to/" + where + "/" + suffix);
  const std::string set = bounded("clients/" + where + "/" + std::to_string(affinity_seconds) + "/" + suffix);
  fragment.sets[set] = Set{{Field::source}, false, affinity_seconds};
  fragment.chains[chain].rules = {{MatchProtocol{protocol}, Remember{{Field::source}, set}, Dnat{{backend}}}};
  return chain;
}

// A chain that goes to one of the endpoints; its name.
std::string Port::balance(std::string_view kind, const std::vector<Backend>& backends) {
  const std::string chain = name(kind);
  std::vector<Rule> rules;
  if (affinity_seconds == 0) {
    rules.push_back({MatchProtocol{protocol}, Dnat{backends}});
  } else {
    std::vector<std::string> chains;
    for (const Backend& backend : backends) {
      chains.push_back(endpoint_chain(backend));
      const auto& remember = std::get<Remember>(fragment.chains[chains.back()].rules[0][1]);
      rules.push_back({InSet{{Field::source}, remember.set}, go(chains.back())});
    }
    rules.push_back({Spread{std::move(chains)}});
  }
  fragment.chains[chain].rules = std::move(rules);
  return chain;
}

const Verdict drop{Verdict::Kind::drop, {}};

struct ServiceParts {
  const Value& service;
  const NetworkOptions& options;
  Ip cluster_ip;
  std::vector<Ip> externals, balancers;
  bool internal_local = false, external_local = false;
};

void add_external(const ServiceParts& parts, Port& port, uint16_t node_port, const std::vector<Backend>& all,
                  const std::vector<Backend>& local, const std::string& everywhere);

void add_firewall(const ServiceParts& parts, Port& port) {
  const Value& ranges = parts.service["spec"]["loadBalancerSourceRanges"];
  if (ranges.empty() || parts.balancers.empty()) return;
  std::vector<Rule> rules;
  for (const Value& range : ranges.items()) {
    auto cidr = parse_cidr(trim(range.as_string()));
    if (!cidr || cidr->ip.v6) continue;
    if (cidr->bits == 0) return;  // everybody
    cidr->ip = cidr->network();
    rules.push_back({MatchPrefix{Field::source, Sense::equal, *cidr}, Verdict{Verdict::Kind::return_, {}}});
  }
  rules.push_back({drop});
  const std::string chain = port.name("sources");
  port.fragment.chains[chain].rules = std::move(rules);
  for (const Ip& ip : parts.balancers) port.element(names::firewall, port.key(ip), go(chain));
}

void add_port(const ServiceParts& parts, Port& port, const Value& spec, const std::vector<Endpoint>& endpoints) {
  const auto all = usable(endpoints, From::everywhere), local = usable(endpoints, From::this_node);
  const std::string everywhere = all.empty() ? "" : port.name("service");
  const auto& inside = parts.internal_local ? local : all;
  if (!inside.empty()) {
    port.element(names::services, port.key(parts.cluster_ip), go(port.balance(parts.internal_local ? "inside" : "service", inside)));
  } else {
    port.element(names::unserved, port.key(parts.cluster_ip), all.empty() ? go(names::refuse) : drop);
  }
  const auto node_port = static_cast<uint16_t>(spec["nodePort"].as_int());
  if (node_port == 0 && parts.externals.empty() && parts.balancers.empty()) return;
  if (!all.empty() && !port.fragment.chains.contains(everywhere)) port.balance("service", all);
  add_external(parts, port, node_port, all, local, everywhere);
  add_firewall(parts, port);
}

// From outside: with the policy Cluster any endpoint, and answers have to come back through this node; with Local only
// those here, who see the client's address. Pods and the node itself reach all endpoints either way.
void add_external(const ServiceParts& parts, Port& port, uint16_t node_port, const std::vector<Backend>& all,
                  const std::vector<Backend>& local, const std::string& everywhere) {
  std::vector<std::pair<std::string_view, std::string>> keys;
  for (const auto* ips : {&parts.externals, &parts.balancers})
    for (const Ip& ip : *ips) keys.emplace_back(names::services, port.key(ip));
  if (node_port != 0) keys.emplace_back(names::local_ports, encode_key({port.protocol, node_port}));

  std::optional<Verdict> refused;
  if (all.empty()) refused = go(names::refuse);
  if (!all.empty() && parts.external_local && local.empty()) refused = drop;
  if (!all.empty()) {
    std::vector<Rule> rules;
    if (parts.external_local) {
      rules.push_back({MatchPrefix{Field::source, Sense::equal, parts.options.cluster_cidr}, go(everywhere)});
      rules.push_back({MatchLocalSource{}, SetMark{masquerade_mark}, go(everywhere)});
      if (!local.empty()) rules.push_back({go(port.balance("local", local))});
    } else {
      rules.push_back({SetMark{masquerade_mark}, go(everywhere)});
    }
    const std::string chain = port.name("outside");
    port.fragment.chains[chain].rules = std::move(rules);
    for (const auto& [set, key] : keys) port.element(set, key, go(chain));
  }
  if (!refused) return;
  for (const auto& [set, key] : keys)
    port.element(set == names::services ? names::unserved : names::unserved_ports, key, *refused);
}

}  // namespace

uint8_t protocol_number(std::string_view name) {
  if (name.empty() || name == "TCP") return 6;
  if (name == "UDP") return 17;
  return name == "SCTP" ? 132 : 0;
}

Fragment service_fragment(const Value& service, const std::vector<Value>& slices, const NetworkOptions& options) {
  Fragment fragment;
  const Value& spec = service["spec"];
  auto cluster_ip = cluster_ip_of(service);
  if (!cluster_ip || spec["type"].as_string() == "ExternalName" || labels_of(service).has(proxy_name_label)) return fragment;
  if (*cluster_ip == options.dns_address) return fragment;

  ServiceParts parts{service, options, *cluster_ip, external_ips(service), balancer_ips(service),
                     spec["internalTrafficPolicy"].as_string() == "Local", spec["externalTrafficPolicy"].as_string() == "Local"};
  uint32_t affinity = 0;
  if (spec["sessionAffinity"].as_string() == "ClientIP")
    affinity = static_cast<uint32_t>(spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"].as_int(default_affinity_seconds));

  fragment.elements.push_back({std::string(names::cluster_ips), encode_key({*cluster_ip}), std::nullopt});
  for (const Value& entry : spec["ports"].items()) {
    const uint8_t protocol = protocol_number(entry["protocol"].as_string());
    if (protocol == 0) continue;
    const auto number = static_cast<uint16_t>(entry["port"].as_int());
    std::string suffix = std::string(namespace_of(service)) + "/" + std::string(name_of(service)) + "/" +
                         to_lower(entry["protocol"].as_string("TCP")) + "/" + std::to_string(number);
    Port port{options, fragment, std::move(suffix), protocol, number, affinity};
    add_port(parts, port, entry, endpoints_of(slices, entry["name"].as_string(), options.node));
  }
  return fragment;
}

Fragment pod_fragment(const std::string& uid, const Ip& address, const std::vector<HostPortRule>& ports) {
  Fragment fragment;
  fragment.elements.push_back({std::string(names::hairpin), encode_key({address, address}), std::nullopt});
  for (const HostPortRule& rule : ports) {
    const std::string chain = bounded("host_port/" + uid + "/" + std::to_string(rule.protocol) + "/" + std::to_string(rule.host_port) +
                                      (rule.host_ip.empty() ? "" : "/" + rule.host_ip));
    fragment.chains[chain].rules = {{MatchProtocol{rule.protocol}, Dnat{{Backend{address, rule.container_port}}}}};
    auto host_ip = ipv4_of(rule.host_ip);
    if (host_ip) {
      fragment.elements.push_back({std::string(names::services), encode_key({*host_ip, rule.protocol, rule.host_port}), go(chain)});
    } else {
      fragment.elements.push_back({std::string(names::local_ports), encode_key({rule.protocol, rule.host_port}), go(chain)});
    }
  }
  return fragment;
}

}  // namespace orch::plan::net
