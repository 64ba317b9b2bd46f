// Validation of services and their endpoints.

#include <set>

#include "base/ip.h"
#include "schema/rules/check.h"
#include "schema/rules/rules.h"

namespace orch::schema::rules {

namespace {

bool is_type(const Value& spec, std::string_view type) { return text(spec["type"]) == type; }
bool is_headless(const Value& spec) { return text(spec["clusterIP"]) == "None"; }

// An address that traffic can really come from or go to.
void check_endpoint_ip(const Value& value, const FieldPath& path, Causes& causes) {
  auto ip = parse_ip(text(value));
  if (!ip) {
    add_problems(ip_problems(text(value)), path, value, causes);
  } else if (ip->is_unspecified()) {
    causes.invalid(path, value, "may not be unspecified (" + std::string(text(value)) + ")");
  } else if (ip->is_loopback()) {
    causes.invalid(path, value, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
  } else if (ip->is_link_local()) {
    causes.invalid(path, value, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
  } else if (ip->is_link_local_multicast()) {
    causes.invalid(path, value, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
  }
}

void check_ports(const Value& spec, const FieldPath& path, Causes& causes) {
  const Value& ports = spec["ports"];
  if (ports.empty() && !is_headless(spec) && !is_type(spec, "ExternalName")) causes.required(path.child("ports"));
  std::set<std::string> ports_taken, node_ports_taken;
  each(spec, "ports", path, [&](const Value& port, const FieldPath& at) {
    if (ports.size() > 1 && is_empty(port["name"])) causes.required(at.child("name"));
    std::string protocol(text(port["protocol"]));
    if (!ports_taken.insert(protocol + "/" + std::to_string(port["port"].as_int())).second) {
      causes.duplicate(at, port);
    }
    const Value& node_port = port["nodePort"];
    if (is_empty(node_port)) return;
    if (is_type(spec, "ClusterIP")) {
      causes.forbidden(at.child("nodePort"), "may not be used when `type` is 'ClusterIP'");
    }
    if (!node_ports_taken.insert(protocol + "/" + std::to_string(node_port.as_int())).second) {
      causes.duplicate(at.child("nodePort"), node_port);
    }
  });
}

void check_external_name(const Value& spec, const FieldPath& path, Causes& causes) {
  constexpr std::string_view kText = "may not be set for ExternalName services";
  for (std::string_view name : {"clusterIPs", "ipFamilies", "ipFamilyPolicy"}) {
    bool set = name == "ipFamilyPolicy" ? is_set(spec[name]) : !spec[name].empty();
    if (set) causes.forbidden(path.child(name), kText);
  }
  std::string name(text(spec["externalName"]));
  if (name.ends_with('.')) name.pop_back();
  if (name.empty()) {
    causes.required(path.child("externalName"));
  } else {
    add_problems(dns_subdomain_problems(name), path.child("externalName"), spec["externalName"], causes);
  }
}

void check_cluster_ips(const Value& spec, const FieldPath& path, Causes& causes) {
  const Value& ips = spec["clusterIPs"];
  FieldPath list = path.child("clusterIPs");
  const Value& single = spec["clusterIP"];
  if (is_empty(single) && !ips.empty()) {
    causes.invalid(list, ips, "must be empty when `clusterIP` is not specified");
  } else if (!is_empty(single) && ips.empty()) {
    causes.required(list);
  } else if (!ips.empty() && ips.at(0) != single) {
    causes.invalid(list, ips, "first value must match `clusterIP`");
  }
  if (text(ips.at(0)) == "None") {
    if (ips.size() > 1) causes.invalid(list, ips, "'None' must be the first and only value");
    for (std::string_view type : {"LoadBalancer", "NodePort"}) {
      if (is_type(spec, type)) {
        causes.invalid(list.index(0), ips.at(0),
                       "may not be set to 'None' for " + std::string(type) + " services");
      }
    }
    return;
  }
  if (ips.size() > 2) causes.invalid(list, ips, "may only hold up to 2 values");
  int v4 = 0, v6 = 0;
  each(spec, "clusterIPs", path, [&](const Value& value, const FieldPath& at) {
    auto ip = parse_ip(text(value));
    if (!ip) {
      add_problems(ip_problems(text(value)), at, value, causes);
      return;
    }
    size_t i = static_cast<size_t>(v4 + v6);
    ++(ip->v6 ? v6 : v4);
    std::string_view family = text(spec["ipFamilies"].at(i));
    if (!family.empty() && (family == "IPv6") != ip->v6) {
      causes.invalid(at, value, "expected an " + std::string(family) + " value as indicated by `ipFamilies[" +
                                    std::to_string(i) + "]`");
    }
  });
  if (v4 > 1 || v6 > 1) causes.invalid(list, ips, "may specify no more than one IP for each IP family");
}

void check_affinity(const Value& spec, const FieldPath& path, Causes& causes) {
  const Value& config = spec["sessionAffinityConfig"];
  FieldPath at = path.child("sessionAffinityConfig");
  if (text(spec["sessionAffinity"]) == "None" && is_set(config)) {
    causes.forbidden(at, "must not be set when session affinity is None");
  }
  if (text(spec["sessionAffinity"]) != "ClientIP") return;
  const Value& timeout = config["clientIP"]["timeoutSeconds"];
  FieldPath client = at.child("clientIP");
  if (timeout.is_null() || timeout.as_int() <= 0 || timeout.as_int() > 86400) {
    causes.invalid(client.child("timeoutSeconds"), timeout, "must be greater than 0 and less than 86400");
  }
}

void check_balancer(const Value& spec, const FieldPath& path, Causes& causes) {
  constexpr std::string_view kOnly = "may only be used when `type` is 'LoadBalancer'";
  const Value& allocate = spec["allocateLoadBalancerNodePorts"];
  FieldPath at_ranges = path.child("LoadBalancerSourceRanges");
  if (!is_type(spec, "LoadBalancer")) {
    if (!spec["loadBalancerSourceRanges"].empty()) causes.forbidden(at_ranges, kOnly);
    if (is_set(allocate)) causes.forbidden(path.child("allocateLoadBalancerNodePorts"), kOnly);
    if (is_set(spec["loadBalancerClass"])) causes.forbidden(path.child("loadBalancerClass"), kOnly);
    return;
  }
  if (allocate.is_null()) causes.required(path.child("allocateLoadBalancerNodePorts"));
  size_t i = 0;
  for (const Value& range : spec["loadBalancerSourceRanges"].items()) {
    FieldPath at = at_ranges.index(i++);
    add_problems(cidr_problems(trim(text(range))), at, range, causes);
  }
  if (is_set(spec["loadBalancerClass"])) {
    qualified_name(spec["loadBalancerClass"], path.child("loadBalancerClass"), causes);
  }
}

void check_traffic(const Value& spec, const FieldPath& path, Causes& causes) {
  bool reachable = is_type(spec, "LoadBalancer") || is_type(spec, "NodePort") ||
                   (is_type(spec, "ClusterIP") && !spec["externalIPs"].empty());
  const Value& policy = spec["externalTrafficPolicy"];
  FieldPath at = path.child("externalTrafficPolicy");
  if (!reachable && !is_empty(policy)) {
    causes.invalid(at, policy, "may only be set for externally-accessible services");
  }
  if (reachable && is_empty(policy)) causes.required(at);
  bool local = is_type(spec, "LoadBalancer") && text(policy) == "Local";
  const Value& port = spec["healthCheckNodePort"];
  if (!local && !is_empty(port)) {
    causes.invalid(path.child("healthCheckNodePort"), port,
                   "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'");
  }
  const Value& distribution = spec["trafficDistribution"];
  if (is_set(distribution) && text(distribution) != "PreferClose") {
    causes.not_supported(path.child("trafficDistribution"), distribution, {"PreferClose"});
  }
}

void validate_service_spec(const Value& spec, const FieldPath& path, Causes& causes) {
  check_ports(spec, path, causes);
  if (is_type(spec, "ExternalName")) {
    check_external_name(spec, path, causes);
  } else {
    check_cluster_ips(spec, path, causes);
  }
  check_affinity(spec, path, causes);
  each(spec, "externalIPs", path, [&](const Value& ip, const FieldPath& at) { check_endpoint_ip(ip, at, causes); });
  check_balancer(spec, path, causes);
  check_traffic(spec, path, causes);
}

// What was given out stays: the first may not change, the second only come or go.
void check_given(const Value& before, const Value& after, std::string_view name, bool unset_matters,
                 const FieldPath& path, Causes& causes) {
  const Value& was = before[name];
  const Value& is = after[name];
  FieldPath list = path.child(name);
  if (was.empty()) return;
  if (is.empty()) {
    if (unset_matters) causes.invalid(list, is, "primary clusterIP can not be unset");
    return;
  }
  for (size_t i = 0; i < std::min(was.size(), is.size()); ++i) {
    if (was.at(i) != is.at(i)) causes.invalid(list.index(i), is, "may not change once set");
  }
  if (was.size() > is.size() && text(after["ipFamilyPolicy"]) != "SingleStack") {
    causes.invalid(path.child("ipFamilyPolicy"), after["ipFamilyPolicy"],
                   "must be set to 'SingleStack' when releasing the secondary clusterIP");
  }
}

void update_service(const Value& before, const Value& after, const WriteContext& write, const FieldPath& path,
                    Causes& causes) {
  if (!write.subresource.empty()) return;
  const Value& was = before["spec"];
  const Value& is = after["spec"];
  FieldPath spec = path.child("spec");
  if (!is_type(was, "ExternalName") && !is_type(is, "ExternalName")) {
    check_given(was, is, "clusterIPs", true, spec, causes);
    if (!is_headless(was) && !is_headless(is)) check_given(was, is, "ipFamilies", false, spec, causes);
  }
  if (!is_empty(was["healthCheckNodePort"]) && !is_empty(is["healthCheckNodePort"]) &&
      was["healthCheckNodePort"] != is["healthCheckNodePort"]) {
    causes.forbidden(spec.child("healthCheckNodePort"), "field is immutable");
  }
  if (is_type(was, "LoadBalancer") && is_type(is, "LoadBalancer") &&
      was["loadBalancerClass"] != is["loadBalancerClass"]) {
    causes.invalid(spec.child("loadBalancerClass"), is["loadBalancerClass"], "may not change once set");
  }
}

// ---- endpoints

void validate_subset(const Value& subset, const FieldPath& path, Causes& causes) {
  if (subset["addresses"].empty() && subset["notReadyAddresses"].empty()) {
    causes.required(path, "must specify `addresses` or `notReadyAddresses`");
  }
  if (subset["ports"].size() < 2) return;
  each(subset, "ports", path, [&](const Value& port, const FieldPath& at) {
    if (is_empty(port["name"])) causes.required(at.child("name"));
  });
}

void validate_endpoint_address(const Value& address, const FieldPath& path, Causes& causes) {
  check_endpoint_ip(address["ip"], path.child("ip"), causes);
}

void update_endpoints(const Value&, const Value&, const WriteContext&, const FieldPath&, Causes&) {
  // Nothing may not change.
}

void check_slice_address(const Value& address, std::string_view type, const FieldPath& path, Causes& causes) {
  if (type == "FQDN") {
    subdomain(address, path, causes);
    if (text(address).find('.') == std::string_view::npos) {
      causes.invalid(path, address, "should be a domain with at least two segments separated by dots");
    }
    return;
  }
  auto ip = parse_ip(text(address));
  if (!ip || ip->v6 != (type == "IPv6")) {
    causes.invalid(path, address, "must be an " + std::string(type) + " address");
    return;
  }
  if (ip->v6 && format_ip(*ip) != text(address)) {
    causes.invalid(path, address, "must be in canonical form (" + quote(format_ip(*ip)) + ")");
  }
  check_endpoint_ip(address, path, causes);
}

void validate_slice(const Value& slice, const FieldPath& path, Causes& causes) {
  std::set<std::string_view> names;
  each(slice, "ports", path, [&](const Value& port, const FieldPath& at) {
    if (!names.insert(text(port["name"])).second) causes.duplicate(at.child("name"), Value(text(port["name"])));
  });
  std::string_view type = text(slice["addressType"]);
  if (!one_of(type, {"IPv4", "IPv6", "FQDN"})) return;
  each(slice, "endpoints", path, [&](const Value& endpoint, const FieldPath& at) {
    each(endpoint, "addresses", at, [&](const Value& address, const FieldPath& one) {
      check_slice_address(address, type, one, causes);
    });
  });
}

void validate_balancer_ingress(const Value& ingress, const FieldPath& path, Causes& causes) {
  const Value& ip = ingress["ip"];
  const Value& mode = ingress["ipMode"];
  if (!is_empty(ip)) add_problems(ip_problems(text(ip)), path.child("ip"), ip, causes);
  if (!is_empty(ip) && mode.is_null()) causes.required(path.child("ipMode"), "must be specified when `ip` is set");
  if (is_empty(ip) && is_set(mode)) {
    causes.forbidden(path.child("ipMode"), "may not be specified when `ip` is not set");
  }
  check_balancer_hostname(ingress["hostname"], path, causes);
}

void validate_ingress_balancer(const Value& ingress, const FieldPath& path, Causes& causes) {
  check_balancer_hostname(ingress["hostname"], path, causes);
}

constexpr Hooks::Named<ValidateHook> kValidates[]{
    {"service_spec", {validate_service_spec}},
    {"endpoint_subset", {validate_subset}},
    {"endpoint_address", {validate_endpoint_address}},
    {"endpoint_slice", {validate_slice}},
    {"load_balancer_ingress", {validate_balancer_ingress}},
    {"ingress_load_balancer", {validate_ingress_balancer}},
};
constexpr Hooks::Named<UpdateHook> kUpdates[]{
    {"service", {update_service}},
    {"endpoints", {update_endpoints}},
};

}  // namespace

void check_balancer_hostname(const Value& hostname, const FieldPath& path, Causes& causes) {
  if (is_empty(hostname)) return;
  FieldPath at = path.child("hostname");
  subdomain(hostname, at, causes);
  if (parse_ip(text(hostname))) causes.invalid(at, hostname, "must be a DNS name, not an IP address");
}

void add_service_rules(Hooks& hooks) {
  hooks.add<ValidateHook>(kValidates);
  hooks.add<UpdateHook>(kUpdates);
}

}  // namespace orch::schema::rules
