// Validation of networking.k8s.io: ingresses, network policies, addresses.

#include <set>

#include "base/ip.h"
#include "schema/rules/check.h"
#include "schema/rules/rules.h"

namespace orch::schema::rules {

namespace {

// ---- Ingress

void check_host(const Value& host, const FieldPath& path, Causes& causes) {
  std::string_view name = text(host);
  add_problems(name.find('*') != name.npos ? wildcard_subdomain_problems(name) : dns_subdomain_problems(name), path,
               host, causes);
}

void validate_ingress_spec(const Value& spec, const FieldPath& path, Causes& causes) {
  if (spec["rules"].empty() && spec["defaultBackend"].is_null()) {
    causes.invalid(path, spec["rules"], "either `defaultBackend` or `rules` must be specified");
  }
}

void validate_ingress_tls(const Value& tls, const FieldPath& path, Causes& causes) {
  each(tls, "hosts", path, [&](const Value& host, const FieldPath& at) { check_host(host, at, causes); });
  if (!is_empty(tls["secretName"])) subdomain(tls["secretName"], path.child("secretName"), causes);
}

void validate_ingress_rule(const Value& rule, const FieldPath& path, Causes& causes) {
  const Value& host = rule["host"];
  if (is_empty(host)) return;
  if (parse_ip(text(host))) {
    causes.invalid(path.child("host"), host, "must be a DNS name, not an IP address");
  } else {
    check_host(host, path.child("host"), causes);
  }
}

void validate_ingress_path(const Value& one, const FieldPath& path, Causes& causes) {
  std::string_view type = text(one["pathType"]), where = text(one["path"]);
  bool strict = type == "Exact" || type == "Prefix";
  FieldPath at = path.child("path");
  if ((strict || !where.empty()) && !where.starts_with('/')) {
    causes.invalid(at, Value(where), "must be an absolute path");
  }
  if (!strict) return;
  for (std::string_view bad : {"//", "/./", "/../", "%2f", "%2F"}) {
    if (where.find(bad) != where.npos) {
      causes.invalid(at, Value(where), "must not contain '" + std::string(bad) + "'");
    }
  }
  for (std::string_view bad : {"/..", "/."}) {
    if (where.ends_with(bad)) causes.invalid(at, Value(where), "cannot end with '" + std::string(bad) + "'");
  }
}

void check_service_backend(const Value& service, const FieldPath& backend, Causes& causes) {
  FieldPath path = backend.child("service");
  FieldPath port = path.child("port");
  const Value& name = service["port"]["name"];
  const Value& number = service["port"]["number"];
  if (is_empty(service["name"])) {
    causes.required(path.child("name"));
  } else {
    add_problems(dns1035_label_problems(text(service["name"])), path.child("name"), service["name"], causes);
  }
  if (!is_empty(name) && !is_empty(number)) {
    causes.invalid(backend, "", "cannot set both port name & port number");
  } else if (is_empty(name) && is_empty(number)) {
    causes.required(backend, "port name or number is required");
  } else if (!is_empty(name)) {
    add_problems(port_name_problems(text(name)), port.child("name"), name, causes);
  } else {
    add_problems(port_number_problems(number.as_int()), port.child("number"), number, causes);
  }
}

void validate_ingress_backend(const Value& backend, const FieldPath& path, Causes& causes) {
  bool resource = is_set(backend["resource"]), service = is_set(backend["service"]);
  if (resource && service) {
    causes.invalid(path, "", "cannot set both resource and service backends");
  } else if (!resource && !service) {
    causes.invalid(path, "", "resource or service backend is required");
  } else if (service) {
    check_service_backend(backend["service"], path, causes);
  } else {
    FieldPath at = path.child("resource");
    const Value& reference = backend["resource"];
    if (!is_empty(reference["apiGroup"])) subdomain(reference["apiGroup"], at.child("apiGroup"), causes);
    for (std::string_view name : {"kind", "name"}) {
      if (is_empty(reference[name])) {
        causes.required(at.child(name));
      } else {
        add_problems(path_segment_problems(text(reference[name])), at.child(name), reference[name], causes);
      }
    }
  }
}

void create_ingress(const Value& ingress, const WriteContext&, const FieldPath& path, Causes& causes) {
  constexpr std::string_view kClass = "kubernetes.io/ingress.class";
  const Value& old_way = ingress["metadata"]["annotations"][kClass];
  const Value& name = ingress["spec"]["ingressClassName"];
  FieldPath annotations = path.child("annotations");
  if (is_set(old_way) && is_set(name) && old_way != name) {
    causes.invalid(annotations.child(kClass), old_way, "must match `ingressClassName` when both are specified");
  }
}

void validate_class_parameters(const Value& reference, const FieldPath& path, Causes& causes) {
  const Value& space = reference["namespace"];
  FieldPath at = path.child("namespace");
  if (text(reference["scope"]) == "Namespace") {
    if (is_empty(space)) {
      causes.required(at, "`parameters.scope` is set to 'Namespace'");
    } else {
      dns_label(space, at, causes);
    }
  } else if (text(reference["scope"]) == "Cluster" && is_set(space)) {
    causes.forbidden(at, "`parameters.scope` is set to 'Cluster'");
  }
}

// ---- NetworkPolicy

void validate_policy_spec(const Value& spec, const FieldPath& path, Causes& causes) {
  if (spec["policyTypes"].size() > 2) {
    causes.invalid(path.child("policyTypes"), spec["policyTypes"], "may not specify more than two policyTypes");
  }
}

void validate_policy_port(const Value& port, const FieldPath& path, Causes& causes) {
  const Value& end = port["endPort"];
  if (end.is_null()) return;
  FieldPath at = path.child("endPort");
  if (port["port"].is_null()) {
    causes.invalid(at, end, "may not be specified when `port` is not specified");
  } else if (port["port"].is_string()) {
    causes.invalid(at, end, "may not be specified when `port` is non-numeric");
  } else if (end.as_int() < port["port"].as_int()) {
    causes.invalid(at, port["port"], "must be greater than or equal to `port`");
  }
}

void validate_ip_block(const Value& block, const FieldPath& path, Causes& causes) {
  auto cidr = parse_cidr(text(block["cidr"]));
  each(block, "except", path, [&](const Value& value, const FieldPath& at) {
    auto except = parse_cidr(text(value));
    if (!except) {
      add_problems(cidr_problems(text(value)), at, value, causes);
    } else if (cidr && (!cidr->contains(except->ip) || except->bits <= cidr->bits)) {
      causes.invalid(at, value, "must be a strict subset of `cidr`");
    }
  });
}

void validate_policy_peer(const Value& peer, const FieldPath& path, Causes& causes) {
  int count = 0;
  for (std::string_view name : {"podSelector", "namespaceSelector", "ipBlock"}) count += is_set(peer[name]);
  if (count == 0) causes.required(path, "must specify a peer");
  if (count > 1 && is_set(peer["ipBlock"])) {
    causes.forbidden(path, "may not specify both ipBlock and another peer");
  }
}

// ---- addresses

void validate_ip_address(const Value& address, const FieldPath& path, Causes& causes) {
  FieldPath metadata = path.child("metadata");
  FieldPath at = metadata.child("name");
  const Value& name = address["metadata"]["name"];
  auto ip = parse_ip(text(name));
  if (!ip) {
    add_problems(ip_problems(text(name)), at, name, causes);
  } else if (format_ip(*ip) != text(name)) {
    causes.invalid(at, name, "must be in canonical form (" + quote(format_ip(*ip)) + ")");
  }
}

void validate_service_cidr(const Value& spec, const FieldPath& path, Causes& causes) {
  const Value& ranges = spec["cidrs"];
  FieldPath list = path.child("cidrs");
  if (ranges.size() > 2) causes.invalid(list, ranges, "may only hold up to 2 values");
  int v4 = 0, v6 = 0;
  each(spec, "cidrs", path, [&](const Value& value, const FieldPath& at) {
    auto cidr = parse_cidr(text(value));
    if (!cidr) {
      add_problems(cidr_problems(text(value)), at, value, causes);
      return;
    }
    ++(cidr->ip.v6 ? v6 : v4);
    std::string canonical = format_cidr({cidr->network(), cidr->bits});
    if (canonical != text(value)) causes.invalid(at, value, "must be in canonical form (" + quote(canonical) + ")");
  });
  if (v4 > 1 || v6 > 1) {
    causes.invalid(list, ranges,
                   "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64");
  }
}

void update_service_cidr(const Value& before, const Value& after, const WriteContext&, const FieldPath& path,
                         Causes& causes) {
  const Value& was = before["cidrs"];
  const Value& is = after["cidrs"];
  FieldPath at = path.child("cidrs");
  bool second_added = was.size() == 1 && is.size() == 2 && was.at(0) == is.at(0);
  if (was != is && !second_added) causes.invalid(at, is, "field is immutable");
}

constexpr Hooks::Named<ValidateHook> kValidates[]{
    {"ingress_spec", {validate_ingress_spec}},
    {"ingress_tls", {validate_ingress_tls}},
    {"ingress_rule", {validate_ingress_rule}},
    {"ingress_path", {validate_ingress_path}},
    {"ingress_backend", {validate_ingress_backend}},
    {"ingress_class_parameters", {validate_class_parameters}},
    {"network_policy_spec", {validate_policy_spec}},
    {"network_policy_port", {validate_policy_port}},
    {"ip_block", {validate_ip_block}},
    {"network_policy_peer", {validate_policy_peer}},
    {"ip_address", {validate_ip_address}},
    {"service_cidr_spec", {validate_service_cidr}},
};
constexpr Hooks::Named<CreateHook> kCreates[]{{"ingress", {create_ingress}}};
constexpr Hooks::Named<UpdateHook> kUpdates[]{{"service_cidr_spec", {update_service_cidr}}};

}  // namespace

void add_network_rules(Hooks& hooks) {
  hooks.add<ValidateHook>(kValidates);
  hooks.add<CreateHook>(kCreates);
  hooks.add<UpdateHook>(kUpdates);
}

}  // namespace orch::schema::rules
