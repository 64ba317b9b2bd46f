// Defaults of the other kinds of core/v1, networking, rbac and autoscaling.

#include "base/text.h"
#include "schema/rules/edit.h"
#include "schema/rules/rules.h"

namespace orch::schema::rules {

namespace {

bool externally_reachable(const Value& spec) {
  std::string_view type = text(spec["type"]);
  return type == "LoadBalancer" || type == "NodePort" ||
         (type == "ClusterIP" && !spec["externalIPs"].empty());
}

Value default_service_spec(const Value& spec) {
  Value result = spec;
  std::string_view type = text(spec["type"]);
  if (text(spec["sessionAffinity"]) == "None") result = result.without("sessionAffinityConfig");
  if (text(spec["sessionAffinity"]) == "ClientIP" &&
      spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"].is_null()) {
    result = result.with_path({"sessionAffinityConfig", "clientIP", "timeoutSeconds"}, Value(10800));
  }
  if (externally_reachable(spec) && is_empty(spec["externalTrafficPolicy"])) {
    result = result.with("externalTrafficPolicy", "Cluster");
  }
  if (type == "ClusterIP" || type == "NodePort" || type == "LoadBalancer") {
    result = with_default(result, "internalTrafficPolicy", "Cluster");
  }
  if (type == "LoadBalancer") result = with_default(result, "allocateLoadBalancerNodePorts", true);
  return result;
}

Value default_service_port(const Value& port) {
  return is_empty(port["targetPort"]) && !is_empty(port["port"]) ? port.with("targetPort", port["port"])
                                                                     : port;
}

Value default_service(const Value& service) {
  if (text(service["spec"]["type"]) != "LoadBalancer") return service;
  if (service["status"]["loadBalancer"]["ingress"].empty()) return service;
  Value ingress = map_items(service["status"]["loadBalancer"]["ingress"], [](const Value& item) {
    return is_empty(item["ip"]) ? item : with_default(item, "ipMode", "VIP");
  });
  if (ingress.same(service["status"]["loadBalancer"]["ingress"])) return service;
  return service.with_path({"status", "loadBalancer", "ingress"}, std::move(ingress));
}

Value default_namespace(const Value& space) {
  const Value& name = space["metadata"]["name"];
  if (is_empty(name) || space["metadata"]["labels"]["kubernetes.io/metadata.name"] == name) return space;
  return space.with_path({"metadata", "labels", "kubernetes.io/metadata.name"}, name);
}

Value default_secret(const Value& secret) {
  const Value& texts = secret["stringData"];
  if (!secret.has("stringData")) return secret;
  Value data = secret["data"];
  for (const Member& entry : texts.members()) {
    data = data.with(entry.name(), encode_base64(text(entry.value)));
  }
  Value result = secret.without("stringData");
  return data.empty() ? result : result.with("data", std::move(data));
}

Value default_persistent_volume(const Value& volume) {
  return map_member(volume, "spec", [](const Value& spec) {
    Value result = with_default(spec, "volumeMode", "Filesystem");
    return is_empty(spec["persistentVolumeReclaimPolicy"])
               ? result.with("persistentVolumeReclaimPolicy", "Retain")
               : result;
  });
}

// In a Container's item the maximum is the default limit, the default limit the default request.
Value default_limit_range_item(const Value& item) {
  if (text(item["type"]) != "Container") return item;
  Value result = item;
  auto fill = [&](std::string_view target, std::string_view source) {
    for (const Member& entry : item[source].members()) {
      if (!result[target].has(entry.name())) {
        result = result.with(target, result[target].with(entry.name(), entry.value));
      }
    }
  };
  fill("default", "max");
  for (const Member& entry : result["default"].members()) {
    if (!result["defaultRequest"].has(entry.name())) {
      Value requests = result["defaultRequest"].with(entry.name(), entry.value);
      result = result.with("defaultRequest", std::move(requests));
    }
  }
  fill("defaultRequest", "min");
  return result;
}

Value default_replication_controller(const Value& controller) {
  const Value& labels = controller["spec"]["template"]["metadata"]["labels"];
  if (labels.empty()) return controller;
  Value result = controller;
  if (controller["spec"]["selector"].empty()) result = result.with_path({"spec", "selector"}, labels);
  if (controller["metadata"]["labels"].empty()) result = result.with_path({"metadata", "labels"}, labels);
  return result;
}

Value default_network_policy_spec(const Value& spec) {
  if (!spec["policyTypes"].empty()) return spec;
  std::vector<Value> types{"Ingress"};
  if (!spec["egress"].empty()) types.emplace_back("Egress");
  return spec.with("policyTypes", Value::list(std::move(types)));
}

Value default_subject(const Value& subject) {
  std::string_view kind = text(subject["kind"]);
  if ((kind != "User" && kind != "Group") || !is_empty(subject["apiGroup"])) return subject;
  return subject.with("apiGroup", "rbac.authorization.k8s.io");
}

Value default_hpa_spec(const Value& spec) {
  if (!spec["metrics"].empty()) return spec;
  Value target = Value::object({{"type", "Utilization"}, {"averageUtilization", 80}});
  Value resource = Value::object({{"name", "cpu"}, {"target", std::move(target)}});
  Value metric = Value::object({{"type", "Resource"}, {"resource", std::move(resource)}});
  return spec.with("metrics", Value::list({std::move(metric)}));
}

Value policy(std::string_view type, int value) {
  return Value::object({{"type", type}, {"value", value}, {"periodSeconds", 15}});
}

Value default_hpa_behavior(const Value& behavior) {
  Value up = behavior["scaleUp"], down = behavior["scaleDown"];
  if (!up.is_object()) up = Value::empty_object();
  if (!down.is_object()) down = Value::empty_object();
  up = with_default(up, "stabilizationWindowSeconds", 0);
  up = with_default(up, "selectPolicy", "Max");
  up = with_default(up, "policies", Value::list({policy("Pods", 4), policy("Percent", 100)}));
  down = with_default(down, "selectPolicy", "Max");
  down = with_default(down, "policies", Value::list({policy("Percent", 100)}));
  Value result = up.same(behavior["scaleUp"]) ? behavior : behavior.with("scaleUp", std::move(up));
  return down.same(behavior["scaleDown"]) ? result : result.with("scaleDown", std::move(down));
}

constexpr Hooks::Named<DefaultHook> kDefaults[]{
    {"service_spec", {default_service_spec}},
    {"service_port", {default_service_port}},
    {"service", {default_service}},
    {"namespace", {default_namespace}},
    {"secret", {default_secret}},
    {"persistent_volume", {default_persistent_volume}},
    {"limit_range_item", {default_limit_range_item}},
    {"replication_controller", {default_replication_controller}},
    {"network_policy_spec", {default_network_policy_spec}},
    {"subject", {default_subject}},
    {"hpa_spec", {default_hpa_spec}},
    {"hpa_behavior", {default_hpa_behavior}},
};

}  // namespace

void add_core_defaults(Hooks& hooks) { hooks.add<DefaultHook>(kDefaults); }

}  // namespace orch::schema::rules
