#include "plan/net/dns_zone.h"

#include <algorithm>

#include "base/text.h"
#include "plan/core/object.h"

namespace orch::plan::net {

namespace {

constexpr uint32_t ttl = 5;
constexpr std::string_view version = "1.1.0";

DnsRecord record(std::string_view name, uint16_t type, DnsRecord::Data data) {
  return {std::string(name), type, dns_class_in, ttl, std::move(data)};
}
DnsRecord address_record(std::string_view name, const Ip& ip) {
  return record(name, ip.v6 ? dns_type::aaaa : dns_type::a, ip);
}

bool wants(uint16_t asked, uint16_t type) { return asked == type || asked == dns_type::any; }

// "10-42-0-5", "2001-db8--1"
std::string dashed(const Ip& ip) {
  std::string text = format_ip(ip);
  std::replace(text.begin(), text.end(), ip.v6 ? ':' : '.', '-');
  return text;
}
std::optional<Ip> parse_dashed(std::string_view text) {
  std::string plain(text);
  if (std::count(plain.begin(), plain.end(), '-') == 3) {
    std::string v4 = plain;
    std::replace(v4.begin(), v4.end(), '-', '.');
    if (auto ip = parse_ip(v4)) return ip;
  }
  std::replace(plain.begin(), plain.end(), '-', ':');
  return parse_ip(plain);
}

// The address of "5.0.42.10.in-addr.arpa".
std::optional<Ip> parse_reverse(std::string_view name) {
  constexpr std::string_view v4 = ".in-addr.arpa", v6 = ".ip6.arpa";
  if (name.ends_with(v4)) {
    auto parts = split(name.substr(0, name.size() - v4.size()), '.');
    if (parts.size() != 4) return std::nullopt;
    std::string text;
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) text += (text.empty() ? "" : ".") + std::string(*part);
    return parse_ip(text);
  }
  if (!name.ends_with(v6)) return std::nullopt;
  auto nibbles = split(name.substr(0, name.size() - v6.size()), '.');
  if (nibbles.size() != 32) return std::nullopt;
  std::string text;
  for (size_t i = 0; i < 32; ++i) {
    if (nibbles[31 - i].size() != 1) return std::nullopt;
    if (i != 0 && i % 4 == 0) text += ':';
    text += nibbles[31 - i];
  }
  return parse_ip(text);
}

}  // namespace

DnsZone::DnsZone(DnsZoneOptions options) : options_(std::move(options)) {
  options_.domain = to_lower(options_.domain);
  suffix_ = "." + options_.domain;
}

DnsRecord DnsZone::soa() const {
  return record(options_.domain, dns_type::soa,
                DnsSoa{"ns.dns" + suffix_, "hostmaster" + suffix_, 1, 7200, 1800, 86400, ttl});
}

DnsAnswer DnsZone::nothing(DnsCode code) const {
  DnsAnswer answer;
  answer.code = code;
  answer.authority.push_back(soa());
  return answer;
}

// --- objects

void DnsZone::read_endpoints(const std::vector<Value>& slices, Service& service) const {
  for (const Value& slice : slices) {
    if (slice["addressType"].as_string() == "FQDN") continue;
    std::vector<Port> ports;
    for (const Value& port : slice["ports"].items())
      ports.push_back({std::string(port["name"].as_string()), to_lower(port["protocol"].as_string("TCP")),
                       static_cast<uint16_t>(port["port"].as_int())});
    for (const Value& entry : slice["endpoints"].items()) {
      if (!entry["conditions"]["ready"].as_bool(true)) continue;
      auto ip = parse_ip(entry["addresses"].at(0).as_string());
      if (!ip) continue;
      std::string host(entry["hostname"].as_string());
      service.endpoints.push_back({host.empty() ? dashed(*ip) : host, *ip, ports});
    }
  }
}

void DnsZone::put_service(std::string_view ns, std::string_view name, const Value& service, const std::vector<Value>& slices) {
  const std::string key = std::string(ns) + "/" + std::string(name);
  if (auto old = services_.find(key); old != services_.end()) {
    index(key, old->second, false);
    services_.erase(old);
  }
  if (service.is_null()) return;
  const Value& spec = service["spec"];
  Service made;
  if (spec["type"].as_string() == "ExternalName") {
    made.alias = std::string(spec["externalName"].as_string());
    if (made.alias.ends_with(".")) made.alias.pop_back();
  } else {
    for (const Value& port : spec["ports"].items())
      made.ports.push_back({std::string(port["name"].as_string()), to_lower(port["protocol"].as_string("TCP")),
                            static_cast<uint16_t>(port["port"].as_int())});
    made.headless = spec["clusterIP"].as_string() == "None";
    for (const Value& entry : spec["clusterIPs"].items())
      if (auto ip = parse_ip(entry.as_string())) made.ips.push_back(*ip);
    if (made.ips.empty())
      if (auto ip = parse_ip(spec["clusterIP"].as_string())) made.ips.push_back(*ip);
    read_endpoints(slices, made);
  }
  index(key, made, true);
  services_.emplace(key, std::move(made));
}

// "web-0" of "default/web" -> "web-0.web.default.svc.cluster.local"; "" -> the Service's own name.
std::string DnsZone::host_name(std::string_view key, std::string_view host) const {
  const auto parts = *split_once(key, '/');
  std::string name = host.empty() ? "" : std::string(host) + ".";
  return name + std::string(parts.second) + "." + std::string(parts.first) + ".svc" + suffix_;
}

void DnsZone::index(const std::string& key, const Service& service, bool add) {
  auto change = [&](const Ip& ip, const std::string& name) {
    auto& names = names_of_[ip];
    if (add) {
      names.insert(name);
    } else if (auto found = names.find(name); found != names.end()) {
      names.erase(found);
    }
    if (names.empty()) names_of_.erase(ip);
  };
  for (const Ip& ip : service.ips) change(ip, host_name(key, ""));
  for (const Endpoint& endpoint : service.endpoints) change(endpoint.ip, host_name(key, endpoint.host));
}

const DnsZone::Service* DnsZone::find(std::string_view ns, std::string_view name) const {
  std::string key;
  key.reserve(ns.size() + name.size() + 1);
  key.append(ns).append("/").append(name);
  auto found = services_.find(key);
  return found == services_.end() ? nullptr : &found->second;
}

// --- answers

std::optional<DnsAnswer> DnsZone::answer(std::string_view name, uint16_t type) const {
  const std::string lower = to_lower(name);
  if (lower == options_.domain) return of_apex(name, type);
  if (!lower.ends_with(suffix_)) return reverse(name, lower, type);
  Labels labels;
  std::string_view rest = std::string_view(lower).substr(0, lower.size() - suffix_.size());
  auto parts = split(rest, '.');
  labels.assign(parts.rbegin(), parts.rend());
  return inside(name, labels, type);
}

DnsAnswer DnsZone::inside(std::string_view question, const Labels& labels, uint16_t type) const {
  DnsAnswer answer;
  if (labels[0] == "dns-version" && labels.size() == 1) {
    if (!wants(type, dns_type::txt)) return nothing(DnsCode::no_error);
    answer.answers.push_back(record(question, dns_type::txt, DnsRaw{static_cast<char>(version.size()) + std::string(version)}));
    return answer;
  }
  if (labels[0] == "dns" && labels.size() == 2 && labels[1] == "ns") {
    add_addresses(question, {options_.dns_address}, type, answer);
    return answer.answers.empty() ? nothing(DnsCode::no_error) : answer;
  }
  if (labels[0] == "dns" && labels.size() == 1) return nothing(DnsCode::no_error);
  const bool pod = labels[0] == "pod", svc = labels[0] == "svc";
  if (!pod && !svc) return nothing(DnsCode::name_error);
  if (labels.size() == 1) return nothing(DnsCode::no_error);
  if (!namespaces_.contains(labels[1])) return nothing(DnsCode::name_error);
  if (labels.size() == 2) return nothing(DnsCode::no_error);
  return pod ? of_pod(question, labels, type) : of_service(question, labels, type);
}

DnsAnswer DnsZone::of_apex(std::string_view question, uint16_t type) const {
  DnsAnswer answer;
  if (wants(type, dns_type::soa)) answer.answers.push_back(soa());
  if (wants(type, dns_type::ns)) {
    answer.answers.push_back(record(question, dns_type::ns, "ns.dns" + suffix_));
    answer.additional.push_back(address_record("ns.dns" + suffix_, options_.dns_address));
  }
  return answer.answers.empty() ? nothing(DnsCode::no_error) : answer;
}

DnsAnswer DnsZone::of_pod(std::string_view question, const Labels& labels, uint16_t type) const {
  auto ip = labels.size() == 3 ? parse_dashed(labels[2]) : std::nullopt;
  if (!ip) return nothing(DnsCode::name_error);
  DnsAnswer answer;
  add_addresses(question, {*ip}, type, answer);
  return answer.answers.empty() ? nothing(DnsCode::no_error) : answer;
}

void DnsZone::add_addresses(std::string_view question, const std::vector<Ip>& ips, uint16_t type, DnsAnswer& answer) const {
  for (const Ip& ip : ips)
    if (wants(type, ip.v6 ? dns_type::aaaa : dns_type::a)) answer.answers.push_back(address_record(question, ip));
}

// labels: svc, namespace, service[, endpoint | protocol, port].
DnsAnswer DnsZone::of_service(std::string_view question, const Labels& labels, uint16_t type) const {
  const Service* service = find(labels[1], labels[2]);
  if (!service) return nothing(DnsCode::name_error);
  const std::string key = std::string(labels[1]) + "/" + std::string(labels[2]);
  DnsAnswer answer;
  if (!service->alias.empty()) {
    if (labels.size() > 3) return nothing(DnsCode::name_error);
    answer.answers.push_back(record(question, dns_type::cname, service->alias));
    answer.follow = type != dns_type::cname;
    return answer;
  }
  bool exists = labels.size() == 3;
  if (labels.size() == 3) {
    if (service->headless) {
      std::vector<Ip> ips;
      for (const Endpoint& endpoint : service->endpoints) ips.push_back(endpoint.ip);
      std::sort(ips.begin(), ips.end());
      ips.erase(std::unique(ips.begin(), ips.end()), ips.end());
      add_addresses(question, ips, type, answer);
    } else {
      add_addresses(question, service->ips, type, answer);
    }
    if (type == dns_type::srv) add_srv(question, key, *service, "", "", answer);
  } else if (labels.size() == 4 && labels[3].starts_with("_")) {
    exists = labels[3] == "_tcp" || labels[3] == "_udp" || labels[3] == "_sctp";
  } else if (labels.size() == 4) {
    std::vector<Ip> ips;
    for (const Endpoint& endpoint : service->endpoints)
      if (equals_ignore_case(endpoint.host, labels[3])) ips.push_back(endpoint.ip);
    exists = !ips.empty();
    std::sort(ips.begin(), ips.end());
    ips.erase(std::unique(ips.begin(), ips.end()), ips.end());
    add_addresses(question, ips, type, answer);
  } else if (labels.size() == 5 && labels[3].starts_with("_") && labels[4].starts_with("_")) {
    add_srv(question, key, *service, labels[4].substr(1), labels[3].substr(1), answer);
    exists = !answer.answers.empty();
    if (!wants(type, dns_type::srv)) answer = {};
  }
  if (!answer.answers.empty()) return answer;
  return nothing(exists ? DnsCode::no_error : DnsCode::name_error);
}

// One record per port, of a headless Service per port and endpoint; weights share 100 as CoreDNS does. Port "": all.
void DnsZone::add_srv(std::string_view question, std::string_view key, const Service& service, std::string_view port,
                      std::string_view protocol, DnsAnswer& answer) const {
  auto matches = [&](const Port& candidate) {
    return port.empty() || (equals_ignore_case(candidate.name, port) && candidate.protocol == protocol);
  };
  auto add = [&](const Port& found, std::string_view host, const std::vector<Ip>& ips) {
    std::string target = host_name(key, host);
    for (const Ip& ip : ips) {
      DnsRecord extra = address_record(target, ip);
      if (std::find(answer.additional.begin(), answer.additional.end(), extra) == answer.additional.end())
        answer.additional.push_back(std::move(extra));
    }
    answer.answers.push_back(record(question, dns_type::srv, DnsSrv{0, 0, found.number, std::move(target)}));
  };
  if (service.headless) {
    for (const Endpoint& endpoint : service.endpoints)
      for (const Port& candidate : endpoint.ports)
        if (matches(candidate)) add(candidate, endpoint.host, {endpoint.ip});
  } else {
    for (const Port& candidate : service.ports)
      if (matches(candidate)) add(candidate, "", service.ips);
  }
  constexpr size_t all_weight = 100;
  const auto weight = static_cast<uint16_t>(std::max<size_t>(1, all_weight / std::max<size_t>(1, answer.answers.size())));
  for (DnsRecord& each : answer.answers)
    if (auto* srv = std::get_if<DnsSrv>(&each.data)) srv->weight = weight;
}

std::optional<DnsAnswer> DnsZone::reverse(std::string_view question, std::string_view lower, uint16_t type) const {
  auto ip = parse_reverse(lower);
  if (!ip) return std::nullopt;
  auto found = names_of_.find(*ip);
  if (found == names_of_.end()) {
    const bool ours = options_.cluster_cidr.contains(*ip) || options_.service_cidr.contains(*ip);
    return ours ? std::optional(nothing(DnsCode::name_error)) : std::nullopt;
  }
  if (!wants(type, dns_type::ptr)) return nothing(DnsCode::no_error);
  DnsAnswer answer;
  std::string_view last;
  for (const std::string& name : found->second) {
    if (name != last) answer.answers.push_back(record(question, dns_type::ptr, name));
    last = name;
  }
  return answer;
}

}  // namespace orch::plan::net
