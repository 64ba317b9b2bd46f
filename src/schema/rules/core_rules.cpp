// Validation of configuration, namespaces, nodes, events, quotas and bindings.

#include <map>
#include <set>

#include "base/ip.h"
#include "data/json.h"
#include "data/quantity.h"
#include "schema/rules/check.h"
#include "schema/rules/resources.h"
#include "schema/rules/rules.h"

namespace orch::schema::rules {

namespace {

constexpr int64_t kMaxData = 1024 * 1024;

size_t decoded_size(std::string_view base64) { return base64.size() / 4 * 3; }

void check_keys(const Value& data, const FieldPath& path, Causes& causes) {
  for (const Member& entry : data.members()) {
    add_problems(config_key_problems(entry.name()), path.key(entry.name()), Value(entry.name()), causes);
  }
}

void validate_config_map(const Value& map, const FieldPath& path, Causes& causes) {
  check_keys(map["data"], path.child("data"), causes);
  check_keys(map["binaryData"], path.child("binaryData"), causes);
  size_t total = 0;
  FieldPath data = path.child("data");
  for (const Member& entry : map["data"].members()) {
    if (map["binaryData"].has(entry.name())) {
      causes.invalid(data.key(entry.name()), Value(entry.name()), "duplicate of key present in binaryData");
    }
    total += text(entry.value).size();
  }
  for (const Member& entry : map["binaryData"].members()) total += decoded_size(text(entry.value));
  if (total > kMaxData) causes.too_long(path, kMaxData);
}

void need_key(const Value& secret, std::string_view key, const FieldPath& path, Causes& causes) {
  FieldPath data = path.child("data");
  if (!secret["data"].has(key)) causes.required(data.key(key));
}

void need_json(const Value& secret, std::string_view key, const FieldPath& path, Causes& causes) {
  need_key(secret, key, path, causes);
  if (!secret["data"].has(key)) return;
  auto decoded = decode_base64(text(secret["data"][key]));
  auto parsed = decoded.ok() ? parse_json(*decoded) : Result<Value>(decoded.error());
  FieldPath data = path.child("data");
  if (!parsed.ok()) causes.invalid(data.key(key), "<secret contents redacted>", parsed.error().message());
}

void validate_secret(const Value& secret, const FieldPath& path, Causes& causes) {
  check_keys(secret["data"], path.child("data"), causes);
  size_t total = 0;
  for (const Member& entry : secret["data"].members()) total += decoded_size(text(entry.value));
  if (total > kMaxData) causes.too_long(path.child("data"), kMaxData);
  std::string_view type = text(secret["type"]);
  if (type == "kubernetes.io/service-account-token") {
    constexpr std::string_view kName = "kubernetes.io/service-account.name";
    FieldPath metadata = path.child("metadata");
    FieldPath annotations = metadata.child("annotations");
    if (is_empty(secret["metadata"]["annotations"][kName])) causes.required(annotations.key(kName));
  } else if (type == "kubernetes.io/dockercfg") {
    need_json(secret, ".dockercfg", path, causes);
  } else if (type == "kubernetes.io/dockerconfigjson") {
    need_json(secret, ".dockerconfigjson", path, causes);
  } else if (type == "kubernetes.io/basic-auth") {
    if (!secret["data"].has("username") && !secret["data"].has("password")) {
      need_key(secret, "username", path, causes);
      need_key(secret, "password", path, causes);
    }
  } else if (type == "kubernetes.io/ssh-auth") {
    need_key(secret, "ssh-privatekey", path, causes);
  } else if (type == "kubernetes.io/tls") {
    need_key(secret, "tls.crt", path, causes);
    need_key(secret, "tls.key", path, causes);
  }
}

// A config map or secret that was declared immutable stays as it is.
void update_immutable_data(const Value& before, const Value& after, const WriteContext&, const FieldPath& path,
                           Causes& causes) {
  constexpr std::string_view kText = "field is immutable when `immutable` is set";
  if (!is_true(before["immutable"])) return;
  if (!is_true(after["immutable"])) causes.forbidden(path.child("immutable"), kText);
  for (std::string_view name : {"data", "binaryData"}) {
    if (before[name] != after[name]) causes.forbidden(path.child(name), kText);
  }
}

// ---- namespaces

void validate_namespace_spec(const Value& spec, const FieldPath& path, Causes& causes) {
  FieldPath list = path.child("finalizers");
  each(spec, "finalizers", path, [&](const Value& finalizer, const FieldPath&) {
    check_finalizer(finalizer, list, list, causes);
  });
}

void update_namespace(const Value&, const Value& after, const WriteContext& write, const FieldPath& path,
                      Causes& causes) {
  if (write.subresource != "status") return;
  bool leaving = is_set(after["metadata"]["deletionTimestamp"]);
  const Value& phase = after["status"]["phase"];
  FieldPath status = path.child("status");
  FieldPath at = status.child("Phase");  // (in capitals in Kubernetes)
  if (!leaving && text(phase) != "Active") {
    causes.invalid(at, phase, "may only be 'Active' if `deletionTimestamp` is empty");
  }
  if (leaving && text(phase) != "Terminating") {
    causes.invalid(at, phase, "may only be 'Terminating' if `deletionTimestamp` is not empty");
  }
}

// ---- nodes

void validate_node(const Value& node, const FieldPath& path, Causes& causes) {
  FieldPath status = path.child("status");
  for (std::string_view name : {"capacity", "allocatable"}) {
    FieldPath list = status.child(name);
    for (const Member& amount : node["status"][name].members()) {
      check_amount(amount.name(), amount.value, list.child(amount.name()), causes);
    }
  }
}

void validate_node_spec(const Value& spec, const FieldPath& path, Causes& causes) {
  std::set<std::string> seen;
  each(spec, "taints", path, [&](const Value& taint, const FieldPath& at) {
    std::string key = std::string(text(taint["key"])) + " " + std::string(text(taint["effect"]));
    if (!seen.insert(key).second) causes.duplicate(at, taint);
  });
  int v4 = 0, v6 = 0;
  each(spec, "podCIDRs", path, [&](const Value& range, const FieldPath& at) {
    auto cidr = parse_cidr(text(range));
    if (!cidr) {
      add_problems(cidr_problems(text(range)), at, range, causes);
    } else {
      ++(cidr->ip.v6 ? v6 : v4);
    }
  });
  if (v4 > 1 || v6 > 1) {
    causes.invalid(path.child("podCIDRs"), spec["podCIDRs"],
                   "may specify no more than one CIDR for each IP family");
  }
}

void update_node(const Value& before, const Value& after, const WriteContext&, const FieldPath& path,
                 Causes& causes) {
  FieldPath spec = path.child("spec");
  const Value& was = before["spec"];
  const Value& is = after["spec"];
  if (!was["podCIDRs"].empty() && was["podCIDRs"] != is["podCIDRs"]) {
    causes.forbidden(spec.child("podCIDRs"), "node updates may not change podCIDR except from \"\" to valid");
  }
  if (!is_empty(was["providerID"]) && was["providerID"] != is["providerID"]) {
    causes.forbidden(spec.child("providerID"), "node updates may not change providerID except from \"\" to valid");
  }
  if (!is_empty(was["externalID"]) && was["externalID"] != is["externalID"]) {
    causes.forbidden(spec.child("externalID"), "may not be updated");
  }
  std::set<std::string> seen;
  FieldPath status = path.child("status");
  each(after["status"], "addresses", status, [&](const Value& address, const FieldPath& at) {
    std::string key = std::string(text(address["type"])) + " " + std::string(text(address["address"]));
    if (!seen.insert(key).second) causes.duplicate(at, address);
  });
}

// ---- events

void validate_event(const Value& event, const FieldPath& path, Causes& causes) {
  const Value& of = event["involvedObject"]["namespace"];
  std::string_view own = text(event["metadata"]["namespace"]);
  FieldPath object = path.child("involvedObject");
  FieldPath at = object.child("namespace");
  if (event["eventTime"].is_null()) {
    bool matches = text(of).empty() ? (own.empty() || own == "default") : text(of) == own;
    if (!matches) causes.invalid(at, of, "does not match event.namespace");
    return;
  }
  bool matches = text(of).empty() ? one_of(own, {"default", "kube-system"}) : text(of) == own;
  if (!matches) causes.invalid(at, of, "does not match event.namespace");
  for (std::string_view name : {"reportingComponent", "reportingInstance", "action", "reason"}) {
    if (is_empty(event[name])) {
      causes.required(path.child(name));
    } else if (name == "reportingComponent") {
      qualified_name(event[name], path.child(name), causes);
    }
    if (text(event[name]).size() > 128) {
      causes.invalid(path.child(name), "", "can have at most 128 characters");
    }
  }
  if (text(event["message"]).size() > 1024) {
    causes.invalid(path.child("message"), "", "can have at most 1024 characters");
  }
}

void update_event(const Value&, const Value&, const WriteContext&, const FieldPath&, Causes&) {
  // Nothing may not change.
}

void create_events_v1(const Value& event, const WriteContext&, const FieldPath& path, Causes& causes) {
  if (event["eventTime"].is_null()) causes.required(path.child("eventTime"));
  if (!one_of(text(event["type"]), {"Normal", "Warning"})) {
    causes.invalid(path.child("type"), "", "has invalid value: " + std::string(text(event["type"])));
  }
  struct Old {
    std::string_view field, shown;
  };
  for (const Old& old : {Old{"deprecatedFirstTimestamp", "firstTimestamp"}, Old{"deprecatedLastTimestamp", "lastTimestamp"},
                         Old{"deprecatedCount", "count"}, Old{"deprecatedSource", "source"}}) {
    bool set = old.field == "deprecatedSource" ? !event[old.field].empty() : !is_empty(event[old.field]);
    if (set) causes.invalid(path.child(old.shown), "", "needs to be unset");
  }
  const Value& series = event["series"];
  FieldPath at = path.child("series");
  if (series.is_null()) return;
  if (series["count"].as_int() < 2) causes.invalid(at.child("count"), "", "should be at least 2");
  if (series["lastObservedTime"].is_null()) causes.required(at.child("lastObservedTime"));
}

void update_events_v1(const Value& before, const Value& after, const WriteContext&, const FieldPath& path,
                      Causes& causes) {
  for (const Member& member : after.members()) {
    if (one_of(member.name(), {"metadata", "series", "apiVersion", "kind"})) continue;
    immutable(before[member.name()], member.value, path.child(member.name()), causes);
  }
}

// ---- limits and quotas

// The pairs of a LimitRange's item that must be in order, and how they are called.
struct Order {
  std::string_view low, low_name, high, high_name;
};
constexpr std::array<Order, 6> kOrders{{
    {"min", "min value", "max", "max value"},
    {"min", "min value", "defaultRequest", "default request value"},
    {"defaultRequest", "default request value", "max", "max value"},
    {"defaultRequest", "default request value", "default", "default limit value"},
    {"min", "min value", "default", "default value"},
    {"default", "default value", "max", "max value"},
}};

void check_limit_order(const Value& item, const std::string& resource, const FieldPath& path, Causes& causes) {
  for (const Order& order : kOrders) {
    const Value& low = item[order.low][resource];
    const Value& high = item[order.high][resource];
    if (low.is_null() || high.is_null() || Quantity::from(low) <= Quantity::from(high)) continue;
    FieldPath at = path.child(order.low);
    causes.invalid(at.key(resource), low,
                   std::string(order.low_name) + " " + std::string(text(low)) + " is greater than " +
                       std::string(order.high_name) + " " + std::string(text(high)));
  }
  const Value& ratio = item["maxLimitRequestRatio"][resource];
  FieldPath ratios = path.child("maxLimitRequestRatio");
  if (is_set(ratio) && Quantity::from(ratio) < Quantity::of(1)) {
    causes.invalid(ratios.key(resource), ratio, "ratio " + std::string(text(ratio)) + " is less than 1");
  }
}

void validate_limit_range(const Value& spec, const FieldPath& path, Causes& causes) {
  each(spec, "limits", path, [&](const Value& item, const FieldPath& at) {
    std::string_view type = text(item["type"]);
    if (!one_of(type, {"Pod", "Container", "PersistentVolumeClaim"}) && type.find('/') == type.npos) {
      causes.invalid(at.child("type"), item["type"], "must be a standard limit type or fully qualified");
    }
    if (type == "Pod") {
      for (std::string_view name : {"default", "defaultRequest"}) {
        if (!item[name].empty()) causes.forbidden(at.child(name), "may not be specified when `type` is 'Pod'");
      }
    }
    if (type == "PersistentVolumeClaim" && !item["min"].has("storage") && !item["max"].has("storage")) {
      causes.required(at.child("limits"),
                      "either minimum or maximum storage value is required, but neither was provided");
    }
    std::set<std::string> resources;
    for (std::string_view name : {"max", "min", "default", "defaultRequest", "maxLimitRequestRatio"}) {
      for (const Member& amount : item[name].members()) {
        resources.emplace(amount.name());
        FieldPath list = at.child(name);
        if (one_of(type, {"Pod", "Container"})) check_resource_name(amount.name(), list.key(amount.name()), causes);
      }
    }
    for (const std::string& resource : resources) check_limit_order(item, resource, at, causes);
  });
}

constexpr std::array<std::string_view, 6> kScopes{"Terminating", "NotTerminating", "BestEffort", "NotBestEffort",
                                                  "PriorityClass", "CrossNamespacePodAffinity"};

void check_hard(const Value& amounts, const FieldPath& path, Causes& causes) {
  for (const Member& amount : amounts.members()) {
    FieldPath at = path.key(amount.name());
    check_quota_resource(amount.name(), at, causes);
    check_amount(amount.name(), amount.value, at, causes);
  }
}

void check_scopes(const std::set<std::string_view>& scopes, const Value& shown, const FieldPath& path,
                  Causes& causes) {
  bool conflict = (scopes.contains("Terminating") && scopes.contains("NotTerminating")) ||
                  (scopes.contains("BestEffort") && scopes.contains("NotBestEffort"));
  if (conflict) causes.invalid(path, shown, "conflicting scopes");
}

void validate_quota_spec(const Value& spec, const FieldPath& path, Causes& causes) {
  check_hard(spec["hard"], path.child("hard"), causes);
  std::set<std::string_view> scopes;
  FieldPath list = path.child("scopes");
  for (const Value& scope : spec["scopes"].items()) {
    if (!one_of(text(scope), kScopes)) causes.invalid(list, spec["scopes"], "unsupported scope");
    scopes.insert(text(scope));
  }
  check_scopes(scopes, spec["scopes"], list, causes);
  FieldPath selector = path.child("scopeSelector");
  FieldPath expressions = selector.child("matchExpressions");
  for (const Value& expression : spec["scopeSelector"]["matchExpressions"].items()) {
    std::string_view scope = text(expression["scopeName"]), op = text(expression["operator"]);
    bool has_values = !expression["values"].empty();
    if (!one_of(scope, kScopes)) {
      causes.invalid(expressions.child("scopeName"), expression["scopeName"], "unsupported scope");
    } else if (scope != "PriorityClass" && op != "Exists") {
      causes.invalid(expressions.child("operator"), expression["operator"],
                     "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, "
                     "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
                     "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity");
    }
    if (one_of(op, {"In", "NotIn"}) && !has_values) {
      causes.required(expressions.child("values"),
                      "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector");
    }
    if (one_of(op, {"Exists", "DoesNotExist"}) && has_values) {
      causes.invalid(expressions.child("values"), expression["values"],
                     "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector");
    }
  }
}

void validate_quota_status(const Value& status, const FieldPath& path, Causes& causes) {
  check_hard(status["hard"], path.child("hard"), causes);
  check_hard(status["used"], path.child("used"), causes);
}

void update_quota(const Value& before, const Value& after, const WriteContext&, const FieldPath& path,
                  Causes& causes) {
  FieldPath spec = path.child("spec");
  immutable(before["spec"]["scopes"], after["spec"]["scopes"], spec.child("scopes"), causes);
}

void validate_binding(const Value& binding, const FieldPath& path, Causes& causes) {
  const Value& target = binding["target"];
  FieldPath at = path.child("target");
  if (!one_of(text(target["kind"]), {"", "Node"})) {
    causes.not_supported(at.child("kind"), target["kind"], {"Node", "<empty>"});
  }
  if (is_empty(target["name"])) causes.required(at.child("name"));
}

constexpr Hooks::Named<ValidateHook> kValidates[]{
    {"config_map", {validate_config_map}},
    {"secret", {validate_secret}},
    {"namespace_spec", {validate_namespace_spec}},
    {"node", {validate_node}},
    {"node_spec", {validate_node_spec}},
    {"event", {validate_event}},
    {"limit_range_spec", {validate_limit_range}},
    {"resource_quota_spec", {validate_quota_spec}},
    {"resource_quota_status", {validate_quota_status}},
    {"binding", {validate_binding}},
};
constexpr Hooks::Named<CreateHook> kCreates[]{{"events_v1", {create_events_v1}}};
constexpr Hooks::Named<UpdateHook> kUpdates[]{
    {"config_map", {update_immutable_data}},
    {"secret", {update_immutable_data}},
    {"namespace", {update_namespace}},
    {"node", {update_node}},
    {"event", {update_event}},
    {"events_v1", {update_events_v1}},
    {"resource_quota", {update_quota}},
};

}  // namespace

void add_core_rules(Hooks& hooks) {
  hooks.add<ValidateHook>(kValidates);
  hooks.add<CreateHook>(kCreates);
  hooks.add<UpdateHook>(kUpdates);
}

}  // namespace orch::schema::rules
