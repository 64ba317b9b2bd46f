#include "api/admission_services.h"

#include <arpa/inet.h>

#include <set>

#include "api/status.h"
#include "schema/engine.h"
#include "base/text.h"

namespace orch::api {

namespace {

std::optional<uint32_t> parse_ipv4(std::string_view text) {
  in_addr address{};
  if (inet_pton(AF_INET, std::string(text).c_str(), &address) != 1) return std::nullopt;
  return ntohl(address.s_addr);
}

std::string format_ipv4(uint32_t address) {
  in_addr raw{htonl(address)};
  char buffer[INET_ADDRSTRLEN];
  return inet_ntop(AF_INET, &raw, buffer, sizeof buffer);
}

// Numbers of a range that are taken, with reservations of writes under way.
class Pool {
 public:
  Pool(uint32_t first, uint32_t last) : first_(first), last_(last), next_(first) {}
  bool contains(uint32_t number) const { return number >= first_ && number <= last_; }
  bool take(uint32_t number) { return taken_.insert(number).second; }
  void give_back(uint32_t number) { taken_.erase(number); }
  // The next free one, going round, so that a number just given back rests for a while.
  std::optional<uint32_t> take_any() {
    for (uint64_t tried = 0; tried <= static_cast<uint64_t>(last_) - first_; ++tried) {
      uint32_t candidate = next_;
      next_ = next_ == last_ ? first_ : next_ + 1;
      if (take(candidate)) return candidate;
    }
    return std::nullopt;
  }

 private:
  uint32_t first_, last_, next_;
  std::set<uint32_t> taken_;
};

std::string_view cluster_ip(const Value& service) { return service["spec"]["clusterIP"].as_string(); }

bool wants_cluster_ip(const Value& service) {
  return service["spec"]["type"].as_string() != "ExternalName" && cluster_ip(service) != "None";
}

bool wants_node_ports(const Value& service) {
  std::string_view type = service["spec"]["type"].as_string();
  return type == "NodePort" ||
         (type == "LoadBalancer" && service["spec"]["allocateLoadBalancerNodePorts"].as_bool(true));
}

// All node ports of a service, once each (TCP and UDP may share one).
std::set<uint32_t> node_ports(const Value& service) {
  std::set<uint32_t> ports;
  for (const Value& port : service["spec"]["ports"].items()) {
    if (int64_t number = port["nodePort"].as_int(); number > 0) ports.insert(static_cast<uint32_t>(number));
  }
  if (int64_t number = service["spec"]["healthCheckNodePort"].as_int(); number > 0) {
    ports.insert(static_cast<uint32_t>(number));
  }
  return ports;
}

Error invalid(const AdmissionRequest& request, std::string field, std::string message) {
  std::vector<Cause> causes;
  causes.push_back({"FieldValueInvalid", std::move(field), std::move(message)});
  return schema::invalid_error(request.kind, request.name, std::move(causes));
}

class ServiceAddresses final : public AdmissionPlugin {
 public:
  ServiceAddresses(const store::Store& store, const AdmissionOptions& options, uint32_t network, int prefix)
      : store_(store), options_(options),
        addresses_(network + 2, static_cast<uint32_t>((uint64_t{network} + (uint64_t{1} << (32 - prefix))) - 2)),
        range_(network + 1, static_cast<uint32_t>((uint64_t{network} + (uint64_t{1} << (32 - prefix))) - 2)),
        ports_(static_cast<uint32_t>(options.node_port_min), static_cast<uint32_t>(options.node_port_max)) {
    if (auto dns = parse_ipv4(options.cluster_dns)) dns_ = *dns;
  }

  std::string_view name() const override { return "ServiceAddresses"; }

  Result<Value> mutate(const AdmissionRequest& request, Value service) override {
    if (request.kind.kind != "Service" || !request.kind.group.empty() || !request.subresource.empty()) return service;
    load();
    if (request.old_object) service = keep_allocated(*request.old_object, std::move(service));
    TRY(service, with_address(request, std::move(service)));
    auto ports = with_node_ports(request, service);
    if (!ports.ok()) {
      release(request, service);
      return std::move(ports).error();
    }
    return with_families(std::move(ports).value());
  }

  void release(const AdmissionRequest& request, const Value& service) override {
    if (request.kind.kind != "Service" || !loaded_) return;
    static const Value kNone;
    settle(service, request.old_object ? *request.old_object : kNone);
  }

  void observe(const schema::Kind& kind, const Value& before, const Value& after) override {
    if (kind.kind != "Service" || !kind.group.empty() || !loaded_) return;
    settle(before, after);
    take_all(after);
  }

 private:
  // The pools are filled when the first Service is written, not at start.
  void load() {
    if (loaded_) return;
    loaded_ = true;
    if (dns_) addresses_.take(dns_);
    auto services = store_.range("/registry/core/services/", "", 0, 0);
    if (!services.ok()) return;
    for (const store::StoredPtr& item : services->items) take_all(item->value);
  }

  void take_all(const Value& service) {
    if (auto address = parse_ipv4(cluster_ip(service))) addresses_.take(*address);
    for (uint32_t port : node_ports(service)) ports_.take(port);
  }

  // What `from` holds and `to` does not is free again.
  void settle(const Value& from, const Value& to) {
    auto address = parse_ipv4(cluster_ip(from));
    if (address && cluster_ip(from) != cluster_ip(to)) addresses_.give_back(*address);
    std::set<uint32_t> kept = node_ports(to);
    for (uint32_t port : node_ports(from)) {
      if (!kept.contains(port)) ports_.give_back(port);
    }
  }

  // An update that leaves out what the server chose keeps it (registry/core/service patchAllocatedValues).
  static Value keep_allocated(const Value& before, Value service) {
    if (wants_cluster_ip(before) && wants_cluster_ip(service) && cluster_ip(service).empty()) {
      service = service.with_path({"spec", "clusterIP"}, before["spec"]["clusterIP"])
                    .with_path({"spec", "clusterIPs"}, before["spec"]["clusterIPs"]);
    }
    if (!wants_node_ports(before) || !wants_node_ports(service)) return service;
    std::vector<Value> ports;
    for (const Value& port : service["spec"]["ports"].items()) {
      const Value* same = nullptr;
      for (const Value& old : before["spec"]["ports"].items()) {
        if (old["port"] == port["port"] && old["protocol"] == port["protocol"]) same = &old;
      }
      bool keeps = same && port["nodePort"].as_int() == 0 && same->has("nodePort");
      ports.push_back(keeps ? port.with("nodePort", (*same)["nodePort"]) : port);
    }
    return service.with_path({"spec", "ports"}, Value::list(std::move(ports)));
  }

  Result<Value> with_address(const AdmissionRequest& request, Value service) {
    if (service["spec"]["type"].as_string() == "ExternalName") {
      ObjectBuilder spec(service["spec"]);
      return service.with("spec", std::move(spec.remove("clusterIP").remove("clusterIPs")).build());
    }
    std::string wanted(cluster_ip(service));
    if (wanted.empty()) wanted = service["spec"]["clusterIPs"].at(0).as_string();
    if (wanted.empty()) {
      auto chosen = addresses_.take_any();
      if (!chosen) {
        return Error::make(Code::internal, "failed to allocate a serviceIP: range " + options_.service_cidr + " is full");
      }
      wanted = format_ipv4(*chosen);
    } else if (wanted != "None" && !(request.old_object && cluster_ip(*request.old_object) == wanted)) {
      auto address = parse_ipv4(wanted);
      std::string quoted = "Invalid value: []string{" + quote(wanted) + "}: failed to allocate IP " + wanted + ": ";
      if (!address || !range_.contains(*address)) {
        return invalid(request, "spec.clusterIPs",
                       quoted + "the provided network does not match the current range; valid addresses are in " +
                           options_.service_cidr);
      }
      // The cluster DNS address is kept for whoever asks for it by name.
      bool free = *address == dns_ ? !dns_in_use() : addresses_.take(*address);
      if (!free) return invalid(request, "spec.clusterIPs", quoted + "provided IP is already allocated");
    }
    return service.with_path({"spec", "clusterIP"}, Value(wanted))
        .with_path({"spec", "clusterIPs"}, Value::list({Value(wanted)}));
  }

  bool dns_in_use() const {
    auto services = store_.range("/registry/core/services/", "", 0, 0);
    if (!services.ok()) return true;
    for (const store::StoredPtr& item : services->items) {
      if (cluster_ip(item->value) == options_.cluster_dns) return true;
    }
    return false;
  }

  Result<Value> with_node_ports(const AdmissionRequest& request, const Value& service) {
    std::vector<Value> ports;
    std::set<uint32_t> had = request.old_object ? node_ports(*request.old_object) : std::set<uint32_t>();
    std::set<uint32_t> mine;  // taken by an earlier port of this service: one for TCP and UDP alike
    size_t index = 0;
    for (const Value& port : service["spec"]["ports"].items()) {
      std::string field = "spec.ports[" + std::to_string(index++) + "].nodePort";
      if (!wants_node_ports(service)) {
        bool drop = request.old_object && had.contains(static_cast<uint32_t>(port["nodePort"].as_int()));
        ports.push_back(drop ? port.without("nodePort") : port);
        continue;
      }
      auto number = static_cast<uint32_t>(port["nodePort"].as_int());
      if (number == 0) {
        auto chosen = ports_.take_any();
        if (!chosen) return Error::make(Code::internal, "failed to allocate a nodePort: range is full");
        number = *chosen;
      } else if (!had.contains(number) && !mine.contains(number)) {
        std::string shown = "Invalid value: " + std::to_string(number) + ": ";
        if (!ports_.contains(number)) {
          return invalid(request, field,
                         shown + "provided port is not in the valid range. The range of valid ports is " +
                             std::to_string(options_.node_port_min) + "-" + std::to_string(options_.node_port_max));
        }
        if (!ports_.take(number)) return invalid(request, field, shown + "provided port is already allocated");
      }
      mine.insert(number);
      ports.push_back(port.with("nodePort", static_cast<int64_t>(number)));
    }
    if (ports.empty()) return service;
    return service.with_path({"spec", "ports"}, Value::list(std::move(ports)));
  }

  // This is an IPv4 cluster.
  static Value with_families(Value service) {
    if (service["spec"]["type"].as_string() == "ExternalName") return service;
    ObjectBuilder spec(service["spec"]);
    if (!service["spec"].has("ipFamilies")) spec.set("ipFamilies", Value::list({Value("IPv4")}));
    if (!service["spec"].has("ipFamilyPolicy")) spec.set("ipFamilyPolicy", "SingleStack");
    return service.with("spec", std::move(spec).build());
  }

  const store::Store& store_;
  AdmissionOptions options_;
  Pool addresses_;
  Pool range_;  // what a user may ask for: the first address is the API's own Service
  Pool ports_;
  uint32_t dns_ = 0;
  bool loaded_ = false;
};

}  // namespace

Result<std::unique_ptr<AdmissionPlugin>> make_service_address_plugin(const store::Store& store,
                                                                     const AdmissionOptions& options) {
  auto parts = split_once(options.service_cidr, '/');
  auto network = parts ? parse_ipv4(parts->first) : std::nullopt;
  auto prefix = parts ? parse_int(parts->second) : std::nullopt;
  if (!network || !prefix || *prefix < 8 || *prefix > 28) {
    return Error::make(Code::usage, "--service-cidr " + options.service_cidr +
                                        " is not an IPv4 network of /8 to /28, such as 10.43.0.0/16");
  }
  uint32_t mask = ~uint32_t{0} << (32 - *prefix);
  return std::unique_ptr<AdmissionPlugin>(
      new ServiceAddresses(store, options, *network & mask, static_cast<int>(*prefix)));
}

}  // namespace orch::api
