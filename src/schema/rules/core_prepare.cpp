// What becomes of the other kinds' objects on their way into the store.

#include <algorithm>

#include "schema/rules/edit.h"
#include "schema/rules/rules.h"

namespace orch::schema::rules {

namespace {

Value set_or_remove(const Value& object, std::string_view name, const Value& value) {
  return value.is_null() ? object.without(name) : object.with(name, value);
}

// ---- Service

bool is_type(const Value& spec, std::string_view type) { return text(spec["type"]) == type; }
bool needs_cluster_ip(const Value& spec) { return !is_type(spec, "ExternalName"); }
bool needs_node_port(const Value& spec) {
  if (is_type(spec, "NodePort")) return true;
  return is_type(spec, "LoadBalancer") && spec["allocateLoadBalancerNodePorts"].as_bool(true);
}
bool needs_health_port(const Value& spec) {
  return is_type(spec, "LoadBalancer") && text(spec["externalTrafficPolicy"]) == "Local";
}
bool reachable(const Value& spec) {
  return is_type(spec, "LoadBalancer") || is_type(spec, "NodePort") ||
         (is_type(spec, "ClusterIP") && !spec["externalIPs"].empty());
}

// clusterIP is the first of clusterIPs; a client that knows only one of them changes only that.
Value normalized_cluster_ips(const Value* before, const Value& spec) {
  const Value& ip = spec["clusterIP"];
  const Value& ips = spec["clusterIPs"];
  if (!before) {
    return !is_empty(ip) && ips.empty() ? spec.with("clusterIPs", Value::list({ip})) : spec;
  }
  bool ip_changed = (*before)["clusterIP"] != ip && !(is_empty((*before)["clusterIP"]) && is_empty(ip));
  if (ips.empty() && !ip_changed && !(*before)["clusterIPs"].empty()) {
    return spec.with("clusterIPs", (*before)["clusterIPs"]);
  }
  if (ip_changed && (*before)["clusterIPs"] == ips) {
    return is_empty(ip) ? spec.without("clusterIPs") : spec.with("clusterIPs", Value::list({ip}));
  }
  return spec;
}

// A client that sends no node ports keeps those it was given.
Value kept_node_ports(const Value& before, const Value& ports) {
  auto taken = [&](const Value& wanted) {
    return std::ranges::any_of(ports.items(), [&](const Value& port) {
      return port["nodePort"] == wanted;
    });
  };
  return map_items(ports, [&](const Value& port) {
    if (!is_empty(port["nodePort"])) return port;
    for (const Value& old_port : before.items()) {
      if (is_empty(old_port["nodePort"]) || taken(old_port["nodePort"])) continue;
      bool same_name = text(old_port["name"]) == text(port["name"]);
      if (same_name) return port.with("nodePort", old_port["nodePort"]);
    }
    return port;
  });
}

Value kept_assignments(const Value& before, const Value& old_spec) {
  Value spec = old_spec;
  if (needs_cluster_ip(before) && needs_cluster_ip(spec)) {
    if (is_empty(spec["clusterIP"])) spec = set_or_remove(spec, "clusterIP", before["clusterIP"]);
    if (spec["clusterIPs"].empty() && spec["clusterIP"] == before["clusterIP"]) {
      spec = set_or_remove(spec, "clusterIPs", before["clusterIPs"]);
    }
  }
  if (needs_node_port(before) && needs_node_port(spec)) {
    spec = map_member(spec, "ports", [&](const Value& ports) { return kept_node_ports(before["ports"], ports); });
  }
  if (needs_health_port(before) && needs_health_port(spec) && is_empty(spec["healthCheckNodePort"])) {
    spec = set_or_remove(spec, "healthCheckNodePort", before["healthCheckNodePort"]);
  }
  return spec;
}

// What the new type has no use for goes, where the client left it as it was.
Value without_leftovers(const Value& before, const Value& old_spec) {
  Value spec = old_spec;
  auto drop = [&](std::string_view name) {
    if (spec[name] == before[name]) spec = spec.without(name);
  };
  if (needs_cluster_ip(before) && !needs_cluster_ip(spec)) {
    for (std::string_view name : {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"}) drop(name);
  }
  if (needs_node_port(before) && !needs_node_port(spec) && !is_type(spec, "LoadBalancer")) {
    size_t i = 0;
    spec = map_member(spec, "ports", [&](const Value& ports) {
      return map_items(ports, [&](const Value& port) {
        const Value& old_port = before["ports"].at(i++);
        return port["nodePort"] == old_port["nodePort"] ? port.without("nodePort") : port;
      });
    });
  }
  if (needs_health_port(before) && !needs_health_port(spec)) drop("healthCheckNodePort");
  if (is_type(before, "LoadBalancer") && !is_type(spec, "LoadBalancer")) {
    drop("allocateLoadBalancerNodePorts");
    drop("loadBalancerClass");
  }
  if (reachable(before) && !reachable(spec)) drop("externalTrafficPolicy");
  return spec;
}

Value prepare_service(const Value* old_service, const Value& service, const WriteContext& write) {
  if (!write.subresource.empty()) return service;
  Value result = map_member(service, "spec", [&](const Value& spec) {
    if (!old_service) return normalized_cluster_ips(nullptr, spec);
    const Value& before = (*old_service)["spec"];
    Value changed = normalized_cluster_ips(&before, spec);
    return without_leftovers(before, kept_assignments(before, changed));
  });
  bool balanced = is_type(result["spec"], "LoadBalancer");
  if (!balanced && !result["status"]["loadBalancer"].empty()) {
    result = result.with_path({"status", "loadBalancer"}, Value::empty_object());
  }
  return result;
}

// ---- the rest

Value prepare_namespace(const Value* old_space, const Value& space, const WriteContext& write) {
  if (old_space) {
    if (write.subresource == "finalize") return space;
    const Value& kept = (*old_space)["spec"]["finalizers"];
    if (space["spec"]["finalizers"] == kept) return space;
    return space.with_path({"spec", "finalizers"}, kept.is_null() ? std::nullopt : std::optional(kept));
  }
  const Value& finalizers = space["spec"]["finalizers"];
  auto items = finalizers.items();
  Value result = space;
  if (std::ranges::find(items, Value("kubernetes")) == items.end()) {
    result = result.with_path({"spec", "finalizers"}, finalizers.appended("kubernetes"));
  }
  return result.with_path({"status", "phase"}, Value("Active"));
}

Value prepare_persistent_volume(const Value* old_volume, const Value& volume, const WriteContext& write) {
  Value now = format_time(write.now);
  if (!old_volume) {
    Value result = volume.with_path({"status", "phase"}, Value("Pending"));
    return result.with_path({"status", "lastPhaseTransitionTime"}, std::move(now));
  }
  const Value& before = (*old_volume)["status"];
  const Value& after = volume["status"];
  bool moved = before["phase"] != after["phase"] &&
               (after["lastPhaseTransitionTime"].is_null() ||
                after["lastPhaseTransitionTime"] == before["lastPhaseTransitionTime"]);
  if (write.subresource != "status" || !moved) return volume;
  return volume.with_path({"status", "lastPhaseTransitionTime"}, std::move(now));
}

bool usable_source(const Value& source) {
  std::string_view kind = text(source["kind"]), group = text(source["apiGroup"]);
  return (kind == "PersistentVolumeClaim" && group.empty()) ||
         (kind == "VolumeSnapshot" && group == "snapshot.storage.k8s.io");
}

Value prepare_claim(const Value*, const Value& claim, const WriteContext& write) {
  if (!write.subresource.empty()) return claim;
  return map_member(claim, "spec", [](const Value& old_spec) {
    Value spec = old_spec;
    const Value& reference = old_spec["dataSourceRef"];
    if (!spec["dataSource"].is_null() && reference.is_null() && !usable_source(spec["dataSource"])) {
      spec = spec.without("dataSource");
    }
    if (spec["dataSource"].is_null() && !reference.is_null() && is_empty(reference["namespace"])) {
      return spec.with("dataSource", reference.without("namespace"));
    }
    if (!spec["dataSource"].is_null() && reference.is_null()) {
      return spec.with("dataSourceRef", spec["dataSource"]);
    }
    return spec;
  });
}

Value prepare_service_account(const Value*, const Value& account, const WriteContext&) {
  return map_member(account, "secrets", [](const Value& secrets) {
    return map_items(secrets, [](const Value& secret) {
      return secret.size() == (secret.has("name") ? 1U : 0U) ? secret
                                                            : Value::object({{"name", secret["name"]}});
    });
  });
}

Value prepare_priority_class(const Value* old_class, const Value& now, const WriteContext&) {
  if (!old_class) return now.with_path({"metadata", "generation"}, Value(1));
  return now;
}

Value prepare_csi_driver(const Value* old_driver, const Value& driver, const WriteContext&) {
  if (!old_driver || (*old_driver)["spec"] == driver["spec"]) return driver;
  int64_t generation = (*old_driver)["metadata"]["generation"].as_int() + 1;
  return driver.with_path({"metadata", "generation"}, Value(generation));
}

Value prepare_endpoint_slice(const Value* old_slice, const Value& slice, const WriteContext&) {
  if (!old_slice || (*old_slice)["endpoints"] == slice["endpoints"]) return slice;
  return map_member(slice, "endpoints", [](const Value& endpoints) {
    return map_items(endpoints, [](const Value& endpoint) { return endpoint.without("deprecatedTopology"); });
  });
}

// ---- CertificateSigningRequest

Value with_condition_times(const Value& before, const Value& conditions, Instant now) {
  Value stamp = format_time(now);
  return map_items(conditions, [&](const Value& condition) {
    Value result = with_default(condition, "lastUpdateTime", stamp);
    if (!condition["lastTransitionTime"].is_null()) return result;
    for (const Value& old_condition : before.items()) {
      bool same = old_condition["type"] == condition["type"] && old_condition["status"] == condition["status"];
      if (same && !old_condition["lastTransitionTime"].is_null()) {
        return result.with("lastTransitionTime", old_condition["lastTransitionTime"]);
      }
    }
    return result.with("lastTransitionTime", stamp);
  });
}

bool is_decision(const Value& condition) {
  return text(condition["type"]) == "Approved" || text(condition["type"]) == "Denied";
}

// A signer's status write does not touch the approver's conditions.
Value kept_decisions(const Value& before, const Value& after) {
  std::vector<Value> merged;
  for (const Value& condition : before.items()) {
    if (is_decision(condition)) merged.push_back(condition);
  }
  for (const Value& condition : after.items()) {
    if (!is_decision(condition)) merged.push_back(condition);
  }
  return Value::list(std::move(merged));
}

Value prepare_csr(const Value* old_request, const Value& request, const WriteContext& write) {
  if (!old_request) {
    return map_member(request, "spec", [&](const Value& spec) {
      Value result = spec;
      for (std::string_view name : {"username", "uid", "groups", "extra"}) {
        const Value& own = write.user ? (*write.user)[name] : Value::null();
        result = is_empty(own) ? result.without(name) : result.with(name, own);
      }
      return result;
    });
  }
  Value result = request.with("spec", (*old_request)["spec"]);
  const Value& before = (*old_request)["status"]["conditions"];
  if (write.subresource == "approval") {
    Value status = set_or_remove((*old_request)["status"], "conditions", request["status"]["conditions"]);
    result = result.with("status", std::move(status));
  } else if (write.subresource == "status") {
    Value merged = kept_decisions(before, request["status"]["conditions"]);
    result = result.with_path({"status", "conditions"}, merged.empty() ? std::nullopt : std::optional(merged));
  } else {
    return result.with("status", (*old_request)["status"]);
  }
  return map_member(result, "status", [&](const Value& status) {
    return map_member(status, "conditions", [&](const Value& conditions) {
      return with_condition_times(before, conditions, write.now);
    });
  });
}

constexpr Hooks::Named<PrepareHook> kPrepares[]{
    {"service", {prepare_service}},
    {"namespace", {prepare_namespace}},
    {"persistent_volume", {prepare_persistent_volume}},
    {"persistent_volume_claim", {prepare_claim}},
    {"service_account", {prepare_service_account}},
    {"priority_class", {prepare_priority_class}},
    {"csi_driver", {prepare_csi_driver}},
    {"endpoint_slice", {prepare_endpoint_slice}},
    {"csr", {prepare_csr}},
};

}  // namespace

void add_core_prepare(Hooks& hooks) { hooks.add<PrepareHook>(kPrepares); }

}  // namespace orch::schema::rules
