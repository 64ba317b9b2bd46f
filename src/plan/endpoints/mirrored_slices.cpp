#include "plan/endpoints/mirrored_slices.h"

#include <algorithm>
#include <map>

#include "base/ip.h"
#include "plan/core/index.h"
#include "plan/core/object.h"
#include "plan/endpoints/slice_labels.h"

namespace orch::plan {

namespace {

constexpr std::string_view manager = "endpointslicemirroring-controller.k8s.io";
constexpr std::string_view skip_label = "endpointslice.kubernetes.io/skip-mirror";
constexpr std::string_view leader_annotation = "control-plane.alpha.kubernetes.io/leader";
constexpr std::string_view unmirrored_annotations[] = {"endpoints.kubernetes.io/last-change-trigger-time",
                                                       "kubectl.kubernetes.io/last-applied-configuration"};

// What a slice is about: it cannot change in one that exists.
struct SliceKey {
  std::string_view family;
  Value ports;
  bool operator<(const SliceKey& other) const {
    return family != other.family ? family < other.family : Value::compare(ports, other.ports) < 0;
  }
};
struct Group {
  std::vector<Value> endpoints, slices;
};
struct Mirror {
  std::map<SliceKey, Group> groups;
  size_t invalid = 0, skipped = 0;  // skipped: the invalid ones, too
};

bool is_ours(const Value& slice) { return labels_of(slice)[slice_manager_label].as_string() == manager; }

bool wants_mirror(const Value& endpoints) {
  return !endpoints.is_null() && labels_of(endpoints)[skip_label].as_string() != "true" &&
         !annotations_of(endpoints).has(leader_annotation);
}

// --- what there should be

Value slice_ports(const Value& ports) {
  std::vector<Value> all;
  for (const Value& port : ports.items()) {
    ObjectBuilder builder;
    builder.set("name", port["name"].as_string());
    builder.set("protocol", port["protocol"].as_string("TCP"));
    builder.set("port", port["port"]);
    builder.set_if("appProtocol", port["appProtocol"]);
    all.push_back(std::move(builder).build());
  }
  return Value::list(std::move(all));
}

Value endpoint_of(const Value& address, bool ready) {
  ObjectBuilder endpoint;
  endpoint.set("addresses", Value::list({address["ip"]}));
  endpoint.set("conditions", Value::object({{"ready", ready}}));
  endpoint.set_if("hostname", address["hostname"]);
  endpoint.set_if("nodeName", address["nodeName"]);
  endpoint.set_if("targetRef", address["targetRef"]);
  return std::move(endpoint).build();
}

// Of two that differ in their conditions alone the later one counts.
void add_endpoint(std::vector<Value>& endpoints, Value endpoint) {
  const Value identity = endpoint.without("conditions");
  for (Value& known : endpoints) {
    if (known["addresses"] != identity["addresses"] || known.without("conditions") != identity) continue;
    known = std::move(endpoint);
    return;
  }
  endpoints.push_back(std::move(endpoint));
}

void mirror_subset(const Value& subset, Mirror& mirror) {
  const Value ports = slice_ports(subset["ports"]);
  const size_t total = subset["addresses"].size() + subset["notReadyAddresses"].size();
  size_t added = 0;
  for (const bool ready : {true, false}) {
    for (const Value& address : subset[ready ? "addresses" : "notReadyAddresses"].items()) {
      if (added >= most_mirrored_addresses) break;
      const auto ip = parse_ip(address["ip"].as_string());
      if (!ip) {
        ++mirror.invalid;
        continue;
      }
      ++added;
      Group& group = mirror.groups[SliceKey{ip->v6 ? "IPv6" : "IPv4", ports}];
      // (Endpoints of another subset with the same ports may have filled the slice.)
      if (group.endpoints.size() < most_mirrored_addresses) add_endpoint(group.endpoints, endpoint_of(address, ready));
    }
  }
  mirror.skipped += total - added;
}

Value labels_for(const Value& endpoints) {
  Value labels = labels_of(endpoints).is_object() ? labels_of(endpoints) : Value::empty_object();
  return labels.with(service_label, Value(name_of(endpoints))).with(slice_manager_label, Value(manager));
}

Value annotations_for(const Value& endpoints) {
  Value annotations = annotations_of(endpoints);
  for (std::string_view key : unmirrored_annotations)
    if (annotations.has(key)) annotations = annotations.without(key);
  return annotations.empty() ? Value() : annotations;
}

// --- what to do about it

Value with_content(const Value& slice, const Value& source, const SliceKey& key, const std::vector<Value>& endpoints) {
  Value meta = metadata(slice).with("labels", labels_for(source));
  Value annotations = annotations_for(source);
  meta = annotations.is_null() ? meta.without("annotations") : meta.with("annotations", annotations);
  return slice.with("metadata", meta).with("endpoints", Value::list(endpoints)).with("ports", key.ports);
}

Value new_slice(const Value& source, const SliceKey& key, const std::vector<Value>& endpoints) {
  Value meta = Value::object({{"generateName", std::string(name_of(source)) + "-"},
                              {"namespace", namespace_of(source)},
                              {"ownerReferences", Value::list({controller_reference(types::endpoints, source)})}});
  Value slice = Value::object({{"apiVersion", "discovery.k8s.io/v1"},
                               {"kind", "EndpointSlice"},
                               {"metadata", meta},
                               {"addressType", key.family}});
  return with_content(slice, source, key, endpoints);
}

// The order of endpoints means nothing.
bool same_endpoints(const Value& slice, std::vector<Value> wanted) {
  std::vector<Value> present(slice["endpoints"].items().begin(), slice["endpoints"].items().end());
  auto before = [](const Value& a, const Value& b) { return Value::compare(a, b) < 0; };
  std::sort(present.begin(), present.end(), before);
  std::sort(wanted.begin(), wanted.end(), before);
  return present == wanted;
}

void plan_slices(const Value& source, const Mirror& mirror, Plan& plan) {
  std::map<std::string_view, std::vector<Value>> spare;  // slices without a use, by family
  std::vector<const std::pair<const SliceKey, Group>*> missing;
  for (const auto& entry : mirror.groups) {
    const auto& [key, group] = entry;
    for (size_t i = group.endpoints.empty() ? 0 : 1; i < group.slices.size(); ++i)
      spare[key.family].push_back(group.slices[i]);
    if (group.endpoints.empty()) continue;
    if (group.slices.empty()) {
      missing.push_back(&entry);
      continue;
    }
    const Value& slice = group.slices.front();
    Value next = with_content(slice, source, key, group.endpoints);
    if (same_endpoints(slice, group.endpoints)) next = next.with("endpoints", slice["endpoints"]);
    if (next != slice) plan.add(update(types::endpoint_slices, next));
  }
  for (const auto* entry : missing) {
    const auto& [key, group] = *entry;
    std::vector<Value>& unused = spare[key.family];
    if (!unused.empty()) {  // a change costs readers less than one that goes and one that comes
      plan.add(update(types::endpoint_slices, with_content(unused.back(), source, key, group.endpoints)));
      unused.pop_back();
    } else if (!is_deleting(source)) {
      plan.add(create(types::endpoint_slices, new_slice(source, key, group.endpoints)));
    }
  }
  for (const auto& [family, slices] : spare)
    for (const Value& slice : slices) plan.add(remove(types::endpoint_slices, slice));
}

void note_skipped(const Mirror& mirror, Plan& plan) {
  if (plan.actions.empty()) return;  // said before
  if (mirror.invalid > 0)
    plan.notes.push_back(Note{NoteType::warning, "InvalidIPAddress",
                              "Skipped " + std::to_string(mirror.invalid) +
                                  " invalid IP addresses when mirroring to EndpointSlices",
                              {}});
  if (mirror.skipped > mirror.invalid)
    plan.notes.push_back(Note{NoteType::warning, "TooManyAddressesToMirror",
                              "A max of " + std::to_string(most_mirrored_addresses) +
                                  " addresses can be mirrored to EndpointSlices per Endpoints subset. " +
                                  std::to_string(mirror.skipped) + " addresses were skipped",
                              {}});
}

}  // namespace

Plan reconcile_mirrored_slices(const Snapshot& snapshot, const ObjectKey& key, const Context&) {
  Plan plan;
  std::vector<Value> slices;
  for (Value& slice : snapshot.indexed(types::endpoint_slices, index::service, key.ns + "/" + key.name))
    if (is_ours(slice) && !is_deleting(slice)) slices.push_back(std::move(slice));

  const Value source = snapshot.get(types::endpoints, key.ns, key.name);
  const Value service = snapshot.get(types::services, key.ns, key.name);
  if (!wants_mirror(source) || service.is_null() || !service["spec"]["selector"].is_null()) {
    for (const Value& slice : slices) plan.add(remove(types::endpoint_slices, slice));
    return plan;
  }
  Mirror mirror;
  for (const Value& subset : source["subsets"].items()) mirror_subset(subset, mirror);
  for (Value& slice : slices) {
    SliceKey slice_key{slice["addressType"].as_string(),
                       slice["ports"].is_list() ? slice["ports"] : Value::empty_list()};
    mirror.groups[slice_key].slices.push_back(slice);
  }
  plan_slices(source, mirror, plan);
  note_skipped(mirror, plan);
  return plan;
}

namespace {

void keys_of_endpoints(const Snapshot&, const Type&, const Value& old, const Value& now, std::vector<ObjectKey>& keys) {
  if (wants_mirror(old) || wants_mirror(now)) keys.push_back(key_of(now.is_null() ? old : now));
}

void keys_of_service(const Snapshot&, const Type&, const Value& old, const Value& now, std::vector<ObjectKey>& keys) {
  const bool was = !old.is_null() && old["spec"]["selector"].is_null();
  const bool is = !now.is_null() && now["spec"]["selector"].is_null();
  if (was != is) keys.push_back(key_of(now.is_null() ? old : now));
}

void keys_of_slice(const Snapshot&, const Type&, const Value& old, const Value& now, std::vector<ObjectKey>& keys) {
  for (const Value* slice : {&old, &now}) {
    std::string_view service = labels_of(*slice)[service_label].as_string();
    if (!service.empty() && is_ours(*slice))
      keys.push_back(ObjectKey{"", std::string(namespace_of(*slice)), std::string(service)});
  }
}

}  // namespace

Reconciler endpoint_slice_mirroring_reconciler() {
  return Reconciler{"endpointslice-mirroring-controller",
                    types::endpoints,
                    {{types::endpoints, keys_of_endpoints},
                     {types::services, keys_of_service},
                     {types::endpoint_slices, keys_of_slice}},
                    reconcile_mirrored_slices};
}

}  // namespace orch::plan
