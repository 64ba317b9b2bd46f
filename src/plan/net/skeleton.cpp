#include "plan/net/skeleton.h"

namespace orch::plan::net {

namespace {

using Point = Hook::Point;
using Type = Hook::Type;

// Priorities of nf_tables' hooks: NF_IP_PRI_*.
constexpr int32_t raw = -300, nat_destination = -100, filter = 0, nat_source = 100;
constexpr int32_t before_nat = nat_destination - 10;  // addresses are still the Services'

Cidr cidr_of(std::string_view text) { return *parse_cidr(text); }
Verdict jump(std::string_view chain) { return {Verdict::Kind::jump, std::string(chain)}; }
constexpr auto verdict_drop = Verdict::Kind::drop;
constexpr auto verdict_return = Verdict::Kind::return_;

void add_sets(Fragment& fragment) {
  auto map = [&fragment](std::string_view name, const Key& key) { fragment.sets[std::string(name)] = Set{key, true, 0}; };
  map(names::services, address_key);
  map(names::local_ports, port_key);
  map(names::unserved, address_key);
  map(names::unserved_ports, port_key);
  map(names::firewall, address_key);
  fragment.sets[std::string(names::cluster_ips)] = Set{{Field::destination}, false, 0};
  fragment.sets[std::string(names::hairpin)] = Set{{Field::source, Field::destination}, false, 0};
}

Chain base(Type type, Point point, int32_t priority, std::vector<Rule> rules) {
  return Chain{Hook{type, point, priority}, std::move(rules)};
}

}  // namespace

Fragment skeleton(const NetworkOptions& options) {
  Fragment fragment;
  add_sets(fragment);
  auto& chains = fragment.chains;
  const std::string services(names::services), local_ports(names::local_ports), firewall(names::firewall);
  const Cidr loopback = cidr_of("127.0.0.0/8"), multicast = cidr_of("224.0.0.0/4");
  const MatchInterface to_pods{Field::out_interface, Sense::equal, options.bridge};
  const MatchInterface from_pods{Field::in_interface, Sense::equal, options.bridge};
  const MatchPrefix from_cluster{Field::source, Sense::equal, options.cluster_cidr};

  chains["prerouting"] = base(Type::nat, Point::prerouting, nat_destination, {{jump("serve")}});
  chains["output"] = base(Type::nat, Point::output, nat_destination, {{jump("serve")}});
  chains["serve"].rules = {
      // Who is not of the cluster must get his answers through this node.
      {MatchPrefix{Field::source, Sense::not_equal, options.cluster_cidr},
       InSet{{Field::destination}, std::string(names::cluster_ips)}, SetMark{masquerade_mark}},
      {VerdictMap{address_key, services}},
      {MatchLocal{}, VerdictMap{port_key, local_ports}},
  };
  chains["postrouting"] = base(
      Type::nat, Point::postrouting, nat_source,
      {
          {MatchMark{masquerade_mark}, go("masquerade_marked")},
          {InSet{{Field::source, Field::destination}, std::string(names::hairpin)}, Masquerade{}},
          {to_pods, MatchPrefix{Field::source, Sense::equal, loopback}, Masquerade{}},
          {MatchInterface{Field::out_interface, Sense::not_equal, "lo"}, from_cluster,
           MatchPrefix{Field::destination, Sense::not_equal, options.cluster_cidr},
           MatchPrefix{Field::destination, Sense::not_equal, multicast}, Masquerade{}},
      });
  chains["masquerade_marked"].rules = {{FlipMark{masquerade_mark}, Masquerade{}}};

  for (auto [name, point] : {std::pair{"filter_input", Point::input}, {"filter_forward", Point::forward}, {"filter_output", Point::output}})
    chains[name] = base(Type::filter, point, filter, {{MatchNew{}, jump("refuse_unserved")}});
  // Pods are on one link and reach each other through us: nobody shall tell them of a shorter way.
  auto& output = chains["filter_output"].rules;
  output.insert(output.begin(), {to_pods, MatchRedirect{}, Verdict{verdict_drop, {}}});
  chains["refuse_unserved"].rules = {
      {MatchPrefix{Field::destination, Sense::equal, Cidr{options.dns_address, 32}}, Verdict{verdict_return, {}}},
      {VerdictMap{address_key, std::string(names::unserved)}},
      {MatchLocal{}, VerdictMap{port_key, std::string(names::unserved_ports)}},
      {InSet{{Field::destination}, std::string(names::cluster_ips)}, go(names::refuse)},
      {MatchPrefix{Field::destination, Sense::equal, options.service_cidr}, Verdict{verdict_drop, {}}},
  };
  chains[std::string(names::refuse)].rules = {{MatchProtocol{6}, Reject{Reject::With::reset}}, {Reject{}}};

  chains["filter_sources"] = base(Type::filter, Point::prerouting, before_nat, {{MatchNew{}, VerdictMap{address_key, firewall}}});
  // The bridge routes 127.0.0.0/8 so that node ports work on localhost; pods shall not get at it (CVE-2020-8558).
  chains["guard_loopback"] = base(Type::filter, Point::prerouting, raw,
                                  {{from_pods, MatchPrefix{Field::destination, Sense::equal, loopback}, Verdict{verdict_drop, {}}}});
  return fragment;
}

}  // namespace orch::plan::net
