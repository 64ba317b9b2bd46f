// Cells of services, endpoints, ingresses and addresses.

#include <set>

#include "base/text.h"
#include "schema/rules/columns.h"

namespace orch::schema::rules {

namespace {

constexpr size_t kShown = 3;

std::vector<std::string> texts(const Value& list) {
  std::vector<std::string> out;
  for (const Value& item : list.items()) out.emplace_back(item.as_string());
  return out;
}

// The addresses and names a load balancer has given, sorted.
std::vector<std::string> balancer_addresses(const Value& object) {
  std::set<std::string> out;
  for (const Value& one : object.path({"status", "loadBalancer", "ingress"}).items()) {
    std::string text = text_or(one["ip"], one["hostname"].as_string());
    if (!text.empty()) out.insert(text);
  }
  return {out.begin(), out.end()};
}

Value service_external_ip(const Value& service, std::string_view, Instant) {
  const Value& spec = service["spec"];
  std::string_view type = spec["type"].as_string();
  std::vector<std::string> external = texts(spec["externalIPs"]);
  if (type == "ClusterIP" || type == "NodePort") return joined(external, ",", "<none>");
  if (type == "ExternalName") return spec["externalName"].as_string();
  if (type != "LoadBalancer") return "<unknown>";
  std::vector<std::string> all = balancer_addresses(service);
  all.insert(all.end(), external.begin(), external.end());
  return joined(all, ",", "<pending>");
}

Value service_ports(const Value& service, std::string_view, Instant) {
  std::vector<std::string> parts;
  for (const Value& port : service.path({"spec", "ports"}).items()) {
    std::string text = std::to_string(port["port"].as_int());
    int64_t node_port = port["nodePort"].as_int();
    if (node_port > 0) text += ":" + std::to_string(node_port);
    parts.push_back(text + "/" + std::string(port["protocol"].as_string()));
  }
  return joined(parts, ",", "<none>");
}

std::string host_and_port(std::string_view host, int64_t port) {
  bool is_v6 = host.find(':') != host.npos;
  std::string text = is_v6 ? "[" + std::string(host) + "]" : std::string(host);
  return text + ":" + std::to_string(port);
}

Value endpoints(const Value& object, std::string_view, Instant) {
  const Value& subsets = object["subsets"];
  if (subsets.empty()) return "<none>";
  std::vector<std::string> shown;
  size_t count = 0;
  auto add = [&](std::string text) {
    ++count;
    if (shown.size() < kShown) shown.push_back(std::move(text));
  };
  for (const Value& subset : subsets.items()) {
    for (const Value& address : subset["addresses"].items()) {
      if (subset["ports"].empty()) add(std::string(address["ip"].as_string()));
    }
    for (const Value& port : subset["ports"].items()) {
      for (const Value& address : subset["addresses"].items()) {
        add(host_and_port(address["ip"].as_string(), port["port"].as_int()));
      }
    }
  }
  return with_more(shown, count, ",", "");
}

Value endpoint_slice_ports(const Value& slice, std::string_view, Instant) {
  std::vector<std::string> shown;
  for (const Value& port : slice["ports"].items()) {
    if (shown.size() == kShown) break;
    if (port["port"].is_int()) {
      shown.push_back(std::to_string(port["port"].as_int()));
    } else {
      shown.push_back(port["name"].is_string() ? std::string(port["name"].as_string()) : "*");
    }
  }
  return with_more(shown, slice["ports"].size(), ",", "<unset>");
}

Value endpoint_slice_endpoints(const Value& slice, std::string_view, Instant) {
  std::vector<std::string> shown;
  size_t count = 0;
  for (const Value& endpoint : slice["endpoints"].items()) {
    for (const Value& address : endpoint["addresses"].items()) {
      if (count++ < kShown) shown.emplace_back(address.as_string());
    }
  }
  return with_more(shown, count, ",", "<unset>");
}

Value ingress_hosts(const Value& ingress, std::string_view, Instant) {
  const Value& rules = ingress.path({"spec", "rules"});
  std::vector<std::string> shown;
  bool more = false;
  for (const Value& rule : rules.items()) {
    more = more || shown.size() == kShown;
    std::string_view host = rule["host"].as_string();
    if (!more && !host.empty()) shown.emplace_back(host);
  }
  return with_more(shown, more ? rules.size() : shown.size(), ",", "*");
}

Value ingress_addresses(const Value& ingress, std::string_view, Instant) {
  return joined(balancer_addresses(ingress), ",", "");
}

Value ingress_ports(const Value& ingress, std::string_view, Instant) {
  return ingress.path({"spec", "tls"}).empty() ? "80" : "80, 443";
}

Value ingress_class_parameters(const Value& object, std::string_view, Instant) {
  const Value& parameters = object.path({"spec", "parameters"});
  if (!parameters) return "<none>";
  std::string text(parameters["kind"].as_string());
  std::string_view group = parameters["apiGroup"].as_string();
  if (!group.empty()) text.append(".").append(group);
  return text.append("/").append(parameters["name"].as_string());
}

Value ip_address_parent(const Value& object, std::string_view, Instant) {
  const Value& parent = object.path({"spec", "parentRef"});
  if (!parent) return "<none>";
  std::string text = to_lower(parent["resource"].as_string());
  std::string_view group = parent["group"].as_string(), space = parent["namespace"].as_string();
  if (!group.empty()) text += "." + to_lower(group);
  if (!space.empty()) text.append("/").append(space);
  return text.append("/").append(parent["name"].as_string());
}

constexpr Hooks::Named<ColumnHook> kColumns[] = {
    {"service_external_ip", {service_external_ip}},
    {"service_ports", {service_ports}},
    {"endpoints", {endpoints}},
    {"endpoint_slice_ports", {endpoint_slice_ports}},
    {"endpoint_slice_endpoints", {endpoint_slice_endpoints}},
    {"ingress_hosts", {ingress_hosts}},
    {"ingress_addresses", {ingress_addresses}},
    {"ingress_ports", {ingress_ports}},
    {"ingress_class_parameters", {ingress_class_parameters}},
    {"ip_address_parent", {ip_address_parent}},
};

}  // namespace

Hooks::Table<ColumnHook> network_columns() { return kColumns; }

}  // namespace orch::schema::rules
