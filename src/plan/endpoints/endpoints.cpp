#include "plan/endpoints/endpoints.h"

#include <map>

#include "plan/core/object.h"
#include "plan/core/pod.h"
#include "plan/endpoints/service_ports.h"

namespace orch::plan {

namespace {

constexpr std::string_view headless_label = "service.kubernetes.io/headless";
constexpr std::string_view manager_label = "endpoints.kubernetes.io/managed-by";
constexpr std::string_view manager = "endpoint-controller";
constexpr std::string_view over_capacity = "endpoints.kubernetes.io/over-capacity";
constexpr size_t most_addresses = 1000;

struct ByValue {
  bool operator()(const Value& a, const Value& b) const { return Value::compare(a, b) < 0; }
};
struct Addresses {
  std::vector<Value> ready, not_ready;
};

// core/v1 leaves an empty name of a port out.
Value plain_ports(const Value& ports) {
  std::vector<Value> plain;
  for (const Value& port : ports.items()) plain.push_back(port["name"].as_string().empty() ? port.without("name") : port);
  return Value::list(std::move(plain));
}

Value address_of(const Value& service, const Value& pod) {
  ObjectBuilder address;
  address.set("ip", pod["status"]["podIP"]);
  address.set_if("hostname", Value(host_name_in(service, pod)));
  address.set_if("nodeName", pod["spec"]["nodeName"]);
  address.set("targetRef", pod_reference(pod));
  return std::move(address).build();
}

struct Subsets {
  Value list = Value::empty_list();
  bool truncated = false;
};

Subsets subsets_of(const Snapshot& snapshot, const Value& service) {
  const bool publish_all = service["spec"]["publishNotReadyAddresses"].as_bool();
  std::map<Value, Addresses, ByValue> groups;  // by ports
  Subsets subsets;
  size_t count = 0;
  for (const Value& pod : selected_pods(snapshot, service)) {
    if (!has_endpoint(pod) || (is_deleting(pod) && !publish_all)) continue;
    Value ports = plain_ports(ports_of_pod(service, pod));
    if (ports.empty() && !service["spec"]["ports"].empty()) continue;
    if (++count > most_addresses) {
      subsets.truncated = true;
      break;
    }
    Addresses& addresses = groups[std::move(ports)];
    (publish_all || is_pod_ready(pod) ? addresses.ready : addresses.not_ready).push_back(address_of(service, pod));
  }
  for (auto& [ports, addresses] : groups) {
    ObjectBuilder subset;
    subset.set_if("addresses", Value::list(std::move(addresses.ready)));
    subset.set_if("notReadyAddresses", Value::list(std::move(addresses.not_ready)));
    subset.set_if("ports", ports);
    subsets.list = subsets.list.appended(std::move(subset).build());
  }
  return subsets;
}

Value filled(const Value& object, const Value& labels, const Subsets& subsets) {
  Value next = object.with_path({"metadata", "labels"}, labels);
  next = subsets.list.empty() ? next.without("subsets") : next.with("subsets", subsets.list);
  if (subsets.truncated) return with_annotation(next, over_capacity, "truncated");
  if (!annotations_of(next).has(over_capacity)) return next;
  Value rest = annotations_of(next).without(over_capacity);
  return next.with_path({"metadata", "annotations"}, rest.empty() ? std::nullopt : std::optional(rest));
}

}  // namespace

Plan reconcile_endpoints(const Snapshot& snapshot, const ObjectKey& key, const Context&) {
  Plan plan;
  const Value service = snapshot.get(types::services, key.ns, key.name);
  const Value found = snapshot.get(types::endpoints, key.ns, key.name);
  if (service.is_null()) {
    // Only what we made: others keep Endpoints without a service for purposes of their own.
    if (!found.is_null() && labels_of(found)[manager_label].as_string() == manager)
      plan.add(remove(types::endpoints, found));
    return plan;
  }
  if (is_deleting(service) || !selects_pods(service)) return plan;
  Value labels = copied_labels(service).with(manager_label, Value(manager));
  if (is_headless(service)) labels = labels.with(headless_label, "");
  const Subsets subsets = subsets_of(snapshot, service);
  if (found.is_null()) {
    Value fresh = Value::object({{"apiVersion", "v1"},
                                 {"kind", "Endpoints"},
                                 {"metadata", Value::object({{"name", key.name}, {"namespace", key.ns}})}});
    plan.add(create(types::endpoints, filled(fresh, labels, subsets)));
    return plan;
  }
  Value next = filled(found, labels, subsets);
  if (next != found) plan.add(update(types::endpoints, next));
  return plan;
}

Reconciler endpoints_reconciler() {
  return Reconciler{"endpoint-controller",
                    types::services,
                    {{types::services, own_key}, {types::pods, services_of_pod}, {types::endpoints, own_key}},
                    reconcile_endpoints};
}

}  // namespace orch::plan
