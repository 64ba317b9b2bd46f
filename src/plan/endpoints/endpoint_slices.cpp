#include "plan/endpoints/endpoint_slices.h"

#include <algorithm>
#include <map>

#include "plan/core/index.h"
#include "plan/core/object.h"
#include "plan/core/pod.h"
#include "plan/endpoints/service_ports.h"
#include "plan/endpoints/slice_labels.h"
#include "plan/endpoints/slice_packing.h"

namespace orch::plan {

namespace {

constexpr std::string_view manager = "endpointslice-controller.k8s.io";
constexpr std::string_view headless_label = "service.kubernetes.io/headless";

struct ByValue {
  bool operator()(const Value& a, const Value& b) const { return Value::compare(a, b) < 0; }
};
// Slices and endpoints with the same ports.
struct Group {
  std::vector<Value> slices, endpoints;
};
using Groups = std::map<Value, Group, ByValue>;  // by ports

bool is_ours(const Value& slice) { return labels_of(slice)[slice_manager_label].as_string() == manager; }

std::vector<std::string_view> families_of(const Value& service) {
  std::vector<std::string_view> families;
  for (const Value& family : service["spec"]["ipFamilies"].items()) families.push_back(family.as_string());
  if (families.empty()) families.push_back("IPv4");
  return families;
}

// The pod's address of a family; "" without one.
std::string_view address_of(const Value& pod, std::string_view family) {
  auto is_of_family = [family](std::string_view ip) {
    return !ip.empty() && (ip.find(':') != std::string_view::npos) == (family == "IPv6");
  };
  for (const Value& entry : pod["status"]["podIPs"].items())
    if (is_of_family(entry["ip"].as_string())) return entry["ip"].as_string();
  std::string_view only = pod["status"]["podIP"].as_string();
  return is_of_family(only) ? only : std::string_view();
}

Value endpoint_of(const Snapshot& snapshot, const Value& service, const Value& pod, std::string_view address) {
  const bool serving = is_pod_ready(pod), terminating = is_deleting(pod);
  const bool ready = service["spec"]["publishNotReadyAddresses"].as_bool() || (serving && !terminating);
  ObjectBuilder endpoint;
  endpoint.set("addresses", Value::list({Value(address)}));
  endpoint.set("conditions", Value::object({{"ready", ready}, {"serving", serving}, {"terminating", terminating}}));
  endpoint.set_if("hostname", Value(host_name_in(service, pod)));
  endpoint.set("targetRef", pod_reference(pod));
  std::string_view node_name = pod["spec"]["nodeName"].as_string();
  endpoint.set_if("nodeName", Value(node_name));
  if (!node_name.empty())
    endpoint.set_if("zone", labels_of(snapshot.get(types::nodes, "", node_name))["topology.kubernetes.io/zone"]);
  return std::move(endpoint).build();
}

Value labels_for(const Value& service) {
  Value labels = copied_labels(service).with(service_label, Value(name_of(service))).with(slice_manager_label, Value(manager));
  return is_headless(service) ? labels.with(headless_label, "") : labels;
}

Value new_slice(const Value& service, std::string_view family, const Value& ports, Value endpoints) {
  Value meta = Value::object({{"generateName", std::string(name_of(service)) + "-"},
                              {"namespace", namespace_of(service)},
                              {"labels", labels_for(service)},
                              {"ownerReferences", Value::list({controller_reference(types::services, service)})}});
  return Value::object({{"apiVersion", "discovery.k8s.io/v1"},
                        {"kind", "EndpointSlice"},
                        {"metadata", meta},
                        {"addressType", family},
                        {"endpoints", std::move(endpoints)},
                        {"ports", ports}});
}

Value ports_of_slice(const Value& slice) { return slice["ports"].is_list() ? slice["ports"] : Value::empty_list(); }

Groups grouped(const Snapshot& snapshot, const Value& service, const std::vector<Value>& slices,
               std::string_view family) {
  Groups groups;
  for (const Value& slice : slices)
    if (slice["addressType"].as_string() == family) groups[ports_of_slice(slice)].slices.push_back(slice);
  for (const Value& pod : selected_pods(snapshot, service)) {
    if (!has_endpoint(pod)) continue;
    std::string_view address = address_of(pod, family);
    if (address.empty()) continue;
    groups[ports_of_pod(service, pod)].endpoints.push_back(endpoint_of(snapshot, service, pod, address));
  }
  return groups;
}

void plan_family(const Value& service, std::string_view family, const Groups& groups, Plan& plan) {
  const Value labels = labels_for(service);
  bool any_left = false;
  std::vector<Value> empty;  // slices with nothing in them
  auto keep = [&](Value slice, const Value& original) {
    any_left = true;
    slice = slice.with_path({"metadata", "labels"}, labels);
    if (slice != original) plan.add(update(types::endpoint_slices, slice));
  };
  for (const auto& [ports, group] : groups) {
    for (PackedSlice& packed : pack_slices(group.slices, group.endpoints)) {
      Value endpoints = Value::list(packed.endpoints);
      if (packed.endpoints.empty()) {
        empty.push_back(packed.slice);
      } else if (packed.slice.is_null()) {
        any_left = true;
        plan.add(create(types::endpoint_slices, new_slice(service, family, ports, std::move(endpoints))));
      } else {
        keep(packed.changed ? packed.slice.with("endpoints", std::move(endpoints)) : packed.slice, packed.slice);
      }
    }
  }
  // A service with nobody behind it has one empty slice: it says that there is nobody.
  if (!any_left && empty.empty()) {
    plan.add(create(types::endpoint_slices, new_slice(service, family, Value::empty_list(), Value::empty_list())));
  } else if (!any_left) {
    const Value kept = std::move(empty.back());
    empty.pop_back();
    keep(kept["endpoints"].empty() ? kept : kept.with("endpoints", Value::empty_list()), kept);
  }
  for (const Value& slice : empty) plan.add(remove(types::endpoint_slices, slice));
}

}  // namespace

Plan reconcile_endpoint_slices(const Snapshot& snapshot, const ObjectKey& key, const Context&) {
  Plan plan;
  const Value service = snapshot.get(types::services, key.ns, key.name);
  if (service.is_null() || is_deleting(service) || !selects_pods(service)) return plan;
  std::vector<Value> slices;
  for (Value& slice : snapshot.indexed(types::endpoint_slices, index::service, key.ns + "/" + key.name))
    if (is_ours(slice) && !is_deleting(slice)) slices.push_back(std::move(slice));

  const std::vector<std::string_view> families = families_of(service);
  for (const Value& slice : slices) {
    std::string_view family = slice["addressType"].as_string();
    if (std::find(families.begin(), families.end(), family) == families.end())
      plan.add(remove(types::endpoint_slices, slice));
  }
  for (std::string_view family : families)
    plan_family(service, family, grouped(snapshot, service, slices, family), plan);
  return plan;
}

namespace {

void keys_of_slice(const Snapshot&, const Type&, const Value& old, const Value& now, std::vector<ObjectKey>& keys) {
  for (const Value* slice : {&old, &now}) {
    if (slice->is_null() || !is_ours(*slice)) continue;
    keys.push_back(ObjectKey{"", std::string(namespace_of(*slice)), std::string(labels_of(*slice)[service_label].as_string())});
  }
}

// The zone of a node is part of its pods' endpoints.
void keys_of_node(const Snapshot& snapshot, const Type& type, const Value& old, const Value& now,
                  std::vector<ObjectKey>& keys) {
  constexpr std::string_view zone = "topology.kubernetes.io/zone";
  if (labels_of(old)[zone] == labels_of(now)[zone]) return;
  const Value& node = now.is_null() ? old : now;
  for (const Value& pod : snapshot.indexed(types::pods, index::node, name_of(node)))
    services_of_pod(snapshot, type, Value(), pod, keys);
}

}  // namespace

Reconciler endpoint_slice_reconciler() {
  return Reconciler{"endpoint-slice-controller",
                    types::services,
                    {{types::services, own_key},
                     {types::pods, services_of_pod},
                     {types::endpoint_slices, keys_of_slice},
                     {types::nodes, keys_of_node}},
                    reconcile_endpoint_slices};
}

}  // namespace orch::plan
