// Validation of autoscaling, policy, scheduling, storage classes, leases, runtime classes, and of
// Windows' options.

#include <set>

#include "data/quantity.h"
#include "schema/rules/check.h"
#include "schema/rules/resources.h"
#include "schema/rules/rules.h"

namespace orch::schema::rules {

namespace {

// ---- HorizontalPodAutoscaler

void validate_hpa_bounds(const Value& spec, const FieldPath& path, Causes& causes) {
  const Value& min = spec["minReplicas"];
  if (is_set(min) && spec["maxReplicas"].as_int() < min.as_int()) {
    causes.invalid(path.child("maxReplicas"), spec["maxReplicas"], "must be greater than or equal to `minReplicas`");
  }
}

struct MetricSource {
  std::string_view type, field;
};
constexpr std::array<MetricSource, 5> kSources{{{"Object", "object"},
                                                {"Pods", "pods"},
                                                {"Resource", "resource"},
                                                {"ContainerResource", "containerResource"},
                                                {"External", "external"}}};

void validate_hpa_metric(const Value& metric, const FieldPath& path, Causes& causes) {
  auto own = std::ranges::find(kSources, text(metric["type"]), &MetricSource::type);
  if (own == kSources.end()) return;
  if (metric[own->field].is_null()) {
    causes.required(path.child(own->field), "must populate information for the given metric source");
  }
  for (const MetricSource& source : kSources) {
    if (source.field != own->field && is_set(metric[source.field])) {
      causes.forbidden(path.child(source.field), "must populate the given metric source only");
    }
  }
}

void validate_object_metric(const Value& metric, const FieldPath& path, Causes& causes) {
  const Value& target = metric["target"];
  FieldPath at = path.child("target");
  if (target["value"].is_null() && target["averageValue"].is_null()) {
    causes.required(at.child("averageValue"), "must set either a target value or averageValue");
  }
}

void validate_pods_metric(const Value& metric, const FieldPath& path, Causes& causes) {
  FieldPath at = path.child("target");
  if (Quantity::from(metric["target"]["averageValue"]).sign() <= 0) {
    causes.required(at.child("averageValue"), "must specify a positive target averageValue");
  }
}

void validate_resource_metric(const Value& metric, const FieldPath& path, Causes& causes) {
  const Value& target = metric["target"];
  FieldPath at = path.child("target");
  bool share = is_set(target["averageUtilization"]), amount = is_set(target["averageValue"]);
  if (!share && !amount) {
    causes.required(at.child("averageUtilization"), "must set either a target raw value or a target utilization");
  }
  if (share && amount) {
    causes.forbidden(at.child("averageValue"), "may not set both a target raw value and a target utilization");
  }
}

void validate_external_metric(const Value& metric, const FieldPath& path, Causes& causes) {
  const Value& target = metric["target"];
  FieldPath at = path.child("target");
  bool value = is_set(target["value"]), average = is_set(target["averageValue"]);
  if (!value && !average) {
    causes.required(at.child("averageValue"), "must set either a target value for metric or a per-pod target");
  }
  if (value && average) {
    causes.forbidden(at.child("value"), "may not set both a target value for metric and a per-pod target");
  }
}

void validate_metric_target(const Value& target, const FieldPath& path, Causes& causes) {
  if (!one_of(text(target["type"]), {"Utilization", "Value", "AverageValue"})) {
    causes.invalid(path.child("type"), target["type"], "must be either Utilization, Value, or AverageValue");
  }
  for (std::string_view name : {"value", "averageValue"}) {
    if (is_set(target[name]) && Quantity::from(target[name]).sign() <= 0) {
      causes.invalid(path.child(name), target[name], "must be positive");
    }
  }
}

void validate_scaling_rules(const Value& rules, const FieldPath& path, Causes& causes) {
  if (rules["policies"].empty()) causes.required(path.child("policies"), "must specify at least one Policy");
}

// ---- PodDisruptionBudget, PriorityClass, Lease, RuntimeClass

void validate_budget(const Value& spec, const FieldPath& path, Causes& causes) {
  if (is_set(spec["minAvailable"]) && is_set(spec["maxUnavailable"])) {
    causes.invalid(path, spec, "minAvailable and maxUnavailable cannot be both set");
  }
  for (std::string_view name : {"minAvailable", "maxUnavailable"}) {
    if (over_hundred_percent(spec[name])) {
      causes.invalid(path.child(name), spec[name], "must not be greater than 100%");
    }
  }
}

struct SystemClass {
  std::string_view name;
  int64_t value;
};
constexpr std::array<SystemClass, 2> kSystemClasses{
    {{"system-node-critical", 2000001000}, {"system-cluster-critical", 2000000000}}};

void validate_priority_class(const Value& priority, const FieldPath& path, Causes& causes) {
  constexpr int64_t kHighestOfUsers = 1000000000;
  std::string name(text(priority["metadata"]["name"]));
  if (!name.starts_with("system-")) {
    if (priority["value"].as_int() > kHighestOfUsers) {
      causes.forbidden(path.child("value"), "maximum allowed value of a user defined priority is 1000000000");
    }
    return;
  }
  std::string problem;
  auto known = std::ranges::find(kSystemClasses, name, &SystemClass::name);
  if (known == kSystemClasses.end()) {
    problem = name + " is not a known system priority class";
  } else if (priority["value"].as_int() != known->value) {
    problem = "value of " + name + " PriorityClass must be " + std::to_string(known->value);
  } else if (is_true(priority["globalDefault"])) {
    problem = "globalDefault of " + name + " PriorityClass must be false";
  }
  FieldPath metadata = path.child("metadata");
  if (!problem.empty()) {
    causes.forbidden(metadata.child("name"),
                     "priority class names with 'system-' prefix are reserved for system use only. error: " + problem);
  }
}

void update_priority_class(const Value& before, const Value& after, const WriteContext&, const FieldPath& path,
                           Causes& causes) {
  if (before["value"] != after["value"]) causes.forbidden(path.child("value"), "may not be changed in an update.");
}

void validate_lease_spec(const Value& spec, const FieldPath& path, Causes& causes) {
  const Value& strategy = spec["strategy"];
  if (is_set(strategy)) {
    if (text(strategy).find('/') != std::string_view::npos) {
      qualified_name(strategy, path.child("strategy"), causes);
    } else if (text(strategy) != "OldestEmulationVersion") {
      causes.not_supported(path.child("strategy"), strategy, {"OldestEmulationVersion"});
    }
  }
  if (!is_empty(spec["preferredHolder"]) && is_empty(strategy)) {
    causes.forbidden(path.child("preferredHolder"), "may only be specified if `strategy` is defined");
  }
}

void validate_overhead(const Value& overhead, const FieldPath&, Causes& causes) {
  FieldPath root;
  FieldPath own = root.child("overhead");
  FieldPath limits = own.child("limits");
  for (const Member& amount : overhead["podFixed"].members()) {
    FieldPath at = limits.key(amount.name());
    check_container_resource(amount.name(), at, causes);
    check_amount(amount.name(), amount.value, at, causes);
  }
}

void validate_class_scheduling(const Value& scheduling, const FieldPath& path, Causes& causes) {
  std::vector<Value> seen;
  each(scheduling, "tolerations", path, [&](const Value& toleration, const FieldPath& at) {
    Value key = toleration.without("tolerationSeconds");
    if (std::ranges::find(seen, key) != seen.end()) causes.duplicate(at, toleration);
    seen.push_back(std::move(key));
  });
}

// ---- storage

void validate_storage_class(const Value& one, const FieldPath& path, Causes& causes) {
  add_problems(qualified_name_problems(to_lower(text(one["provisioner"]))), path.child("provisioner"),
               one["provisioner"], causes);
  FieldPath parameters = path.child("parameters");
  constexpr size_t kMaxSize = 256 * 1024;
  size_t total = 0;
  for (const Member& entry : one["parameters"].members()) {
    if (entry.name().empty()) causes.invalid(parameters, "", "field can not be empty.");
    total += entry.name().size() + text(entry.value).size();
  }
  if (one["parameters"].size() > 512) causes.too_long(parameters, 512);
  if (total > kMaxSize) causes.too_long(parameters, kMaxSize);
  std::vector<Value> seen;
  each(one, "allowedTopologies", path, [&](const Value& term, const FieldPath& at) {
    if (std::ranges::find(seen, term) != seen.end()) causes.duplicate(at.child("matchLabelExpressions"), "");
    seen.push_back(term);
  });
}

void update_storage_class(const Value& before, const Value& after, const WriteContext&, const FieldPath& path,
                          Causes& causes) {
  for (std::string_view name : {"parameters", "provisioner", "reclaimPolicy"}) {
    bool same = name == "parameters" && before[name].empty() && after[name].empty();
    if (!same && before[name] != after[name]) {
      causes.forbidden(path.child(name), "updates to " + std::string(name) + " are forbidden.");
    }
  }
}

void validate_attachment_source(const Value& source, const FieldPath& path, Causes& causes) {
  constexpr std::string_view kOne = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
  const Value& spec = source["inlineVolumeSpec"];
  const Value& name = source["persistentVolumeName"];
  if (spec.is_null() && name.is_null()) causes.required(path, kOne);
  if (is_set(spec) && is_set(name)) causes.forbidden(path, kOne);
  if (is_set(name) && text(name).empty()) {
    causes.required(path.child("persistentVolumeName"), "must specify non empty persistentVolumeName");
  }
  if (spec.is_null()) return;
  FieldPath at = path.child("inlineVolumeSpec");
  if (spec["csi"].is_null()) {
    causes.required(at.child("csi"), "has to be specified in the context of inline volumes");
  }
  if (spec["accessModes"].empty()) causes.required(at.child("accessModes"));
  for (std::string_view field : {"claimRef", "capacity", "nodeAffinity", "storageClassName"}) {
    const Value& value = spec[field];
    bool set = value.is_string() ? !text(value).empty() : value.is_object() && !(field == "capacity" && value.empty());
    if (set) causes.forbidden(at.child(field), "may not be specified in the context of inline volumes");
  }
}

void validate_attachment_status(const Value& status, const FieldPath& path, Causes& causes) {
  constexpr size_t kMaxSize = 256 * 1024;
  size_t total = 0;
  for (const Member& entry : status["attachmentMetadata"].members()) {
    total += entry.name().size() + text(entry.value).size();
  }
  if (total > kMaxSize) causes.too_long(path.child("attachmentMetadata"), kMaxSize);
}

void validate_csi_node_driver(const Value& driver, const FieldPath& path, Causes& causes) {
  if (text(driver["nodeID"]).size() > 256) {
    causes.invalid(path.child("nodeID"), driver["nodeID"], "must be 256 characters or less");
  }
  std::set<std::string_view> seen;
  FieldPath list = path.child("topologyKeys");
  for (const Value& key : driver["topologyKeys"].items()) {
    if (is_empty(key)) {
      causes.required(list);
    } else if (!seen.insert(text(key)).second) {
      causes.duplicate(list, key);
    }
    if (!is_empty(key)) qualified_name(key, list, causes);
  }
}

void update_csi_node(const Value& before, const Value& after, const WriteContext&, const FieldPath& path,
                     Causes& causes) {
  FieldPath spec = path.child("spec");
  for (const Value& was : before["spec"]["drivers"].items()) {
    for (const Value& is : after["spec"]["drivers"].items()) {
      if (was["name"] == is["name"] && was.without("allocatable") != is.without("allocatable")) {
        causes.invalid(spec.child("drivers"), is, "field is immutable");
      }
    }
  }
}

// ---- Windows

void check_windows_user(const Value& user, const FieldPath& path, Causes& causes) {
  std::string_view name = text(user);
  auto refuse = [&](std::string_view detail) { causes.invalid(path, user, detail); };
  if (name.empty()) return refuse("runAsUserName cannot be an empty string");
  if (std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
    return refuse("runAsUserName cannot contain control characters");
  }
  auto parts = split(name, '\\');
  if (parts.size() > 2) return refuse("runAsUserName cannot contain more than one backslash");
  std::string_view account = parts.back();
  if (account.empty()) refuse("runAsUserName's User cannot be empty");
  if (account.size() > 104) refuse("runAsUserName's User length must not be longer than 104 characters");
  if (!account.empty() && account.find_first_not_of(". ") == account.npos) {
    refuse("runAsUserName's User cannot contain only periods or spaces");
  }
  if (account.find_first_of("\"/:;|=,+*?<>@[]") != account.npos) {
    refuse("runAsUserName's User cannot contain the following characters: \"/\\:;|=,+*?<>@[]");
  }
  if (parts.size() == 2 && parts[0].size() >= 256) refuse("runAsUserName's Domain length must be under 256 characters");
}

void validate_windows(const Value& options, const FieldPath& path, Causes& causes) {
  const Value& name = options["gmsaCredentialSpecName"];
  const Value& spec = options["gmsaCredentialSpec"];
  if (is_set(name)) subdomain(name, path.child("gmsaCredentialSpecName"), causes);
  if (is_set(spec) && text(spec).empty()) {
    causes.invalid(path.child("gmsaCredentialSpec"), spec, "gmsaCredentialSpec cannot be an empty string");
  } else if (text(spec).size() > 64 * 1024) {
    causes.invalid(path.child("gmsaCredentialSpec"), spec, "gmsaCredentialSpec size must be under 64 KiB");
  }
  if (is_set(options["runAsUserName"])) {
    check_windows_user(options["runAsUserName"], path.child("runAsUserName"), causes);
  }
}

constexpr Hooks::Named<ValidateHook> kValidates[]{
    {"hpa_bounds", {validate_hpa_bounds}},
    {"hpa_metric", {validate_hpa_metric}},
    {"hpa_object_metric", {validate_object_metric}},
    {"hpa_pods_metric", {validate_pods_metric}},
    {"hpa_resource_metric", {validate_resource_metric}},
    {"hpa_external_metric", {validate_external_metric}},
    {"hpa_metric_target", {validate_metric_target}},
    {"hpa_scaling_rules", {validate_scaling_rules}},
    {"pod_disruption_budget_spec", {validate_budget}},
    {"priority_class", {validate_priority_class}},
    {"lease_spec", {validate_lease_spec}},
    {"runtime_class_overhead", {validate_overhead}},
    {"runtime_class_scheduling", {validate_class_scheduling}},
    {"storage_class", {validate_storage_class}},
    {"volume_attachment_source", {validate_attachment_source}},
    {"volume_attachment_status", {validate_attachment_status}},
    {"csi_node_driver", {validate_csi_node_driver}},
    {"windows_options", {validate_windows}},
};
constexpr Hooks::Named<UpdateHook> kUpdates[]{
    {"priority_class", {update_priority_class}},
    {"storage_class", {update_storage_class}},
    {"csi_node", {update_csi_node}},
};

}  // namespace

void add_other_rules(Hooks& hooks) {
  hooks.add<ValidateHook>(kValidates);
  hooks.add<UpdateHook>(kUpdates);
}

}  // namespace orch::schema::rules
