// Validation of apps/v1, and of ReplicationControllers.

#include "data/selector.h"
#include "schema/rules/check.h"
#include "schema/rules/rules.h"

namespace orch::schema::rules {

namespace {

constexpr std::string_view kNotMatched = "`selector` does not match template `labels`";

// What every template of pods that run forever must keep. `what` is the kind in the last text.
void check_template(const Value& spec, std::string_view what, const FieldPath& path, Causes& causes) {
  FieldPath pod_template = path.child("template");
  FieldPath pod_spec = pod_template.child("spec");
  const Value& inside = spec["template"]["spec"];
  if (text(inside["restartPolicy"]) != "Always" && !is_empty(inside["restartPolicy"])) {
    causes.not_supported(pod_spec.child("restartPolicy"), inside["restartPolicy"], {"Always"});
  }
  if (is_set(inside["activeDeadlineSeconds"])) {
    causes.forbidden(pod_spec.child("activeDeadlineSeconds"),
                     "activeDeadlineSeconds in " + std::string(what) + " is not Supported");
  }
}

void check_selected(const Value& labels, const LabelSelector& selector, const FieldPath& path, Causes& causes) {
  if (selector.matches(labels)) return;
  FieldPath pod_template = path.child("template");
  FieldPath metadata = pod_template.child("metadata");
  causes.invalid(metadata.child("labels"), labels.is_null() ? Value::empty_object() : labels, kNotMatched);
}

void check_selector(const Value& spec, std::string_view what, const FieldPath& path, Causes& causes) {
  const Value& selector = spec["selector"];
  if (selector.is_null()) return;  // Required
  if (selector["matchLabels"].empty() && selector["matchExpressions"].empty()) {
    causes.invalid(path.child("selector"), selector, "empty selector is invalid for " + std::string(what));
  }
  auto parsed = LabelSelector::from_object(selector);
  if (parsed.ok()) check_selected(spec["template"]["metadata"]["labels"], *parsed, path, causes);
}

void validate_deployment_spec(const Value& spec, const FieldPath& path, Causes& causes) {
  check_selector(spec, "deployment", path, causes);
  check_template(spec, "ReplicaSet", path, causes);
  const Value& deadline = spec["progressDeadlineSeconds"];
  if (is_set(deadline) && deadline.as_int() <= spec["minReadySeconds"].as_int()) {
    causes.invalid(path.child("progressDeadlineSeconds"), deadline, "must be greater than minReadySeconds");
  }
}

void validate_replicaset_spec(const Value& spec, const FieldPath& path, Causes& causes) {
  check_selector(spec, "deployment", path, causes);
  check_template(spec, "ReplicaSet", path, causes);
}

void validate_daemonset_spec(const Value& spec, const FieldPath& path, Causes& causes) {
  check_selector(spec, "daemonset", path, causes);
  check_template(spec, "DaemonSet", path, causes);
}

void validate_statefulset_spec(const Value& spec, const FieldPath& path, Causes& causes) {
  check_selector(spec, "statefulset", path, causes);
  check_template(spec, "StatefulSet", path, causes);
  FieldPath pod_template = path.child("template");
  const Value& metadata = spec["template"]["metadata"];
  check_labels(metadata["labels"], pod_template.child("labels"), causes);
  check_annotations(metadata["annotations"], pod_template.child("annotations"), causes);
}

void validate_controller_spec(const Value& spec, const FieldPath& path, Causes& causes) {
  if (!spec["selector"].empty()) {
    check_selected(spec["template"]["metadata"]["labels"], LabelSelector::from_map(spec["selector"]), path, causes);
  }
  check_template(spec, "ReplicationController", path, causes);
}

// ---- strategies

void validate_deployment_strategy(const Value& strategy, const FieldPath& path, Causes& causes) {
  if (text(strategy["type"]) == "Recreate" && is_set(strategy["rollingUpdate"])) {
    causes.forbidden(path.child("rollingUpdate"), "may not be specified when strategy `type` is 'Recreate'");
  }
}

void check_percent(const Value& update, std::string_view name, const FieldPath& path, Causes& causes) {
  if (over_hundred_percent(update[name])) {
    causes.invalid(path.child(name), update[name], "must not be greater than 100%");
  }
}

void validate_rolling_deployment(const Value& update, const FieldPath& path, Causes& causes) {
  if (zero_or_zero_percent(update["maxUnavailable"]) && zero_or_zero_percent(update["maxSurge"])) {
    causes.invalid(path.child("maxUnavailable"), update["maxUnavailable"], "may not be 0 when `maxSurge` is 0");
  }
  check_percent(update, "maxUnavailable", path, causes);
}

void validate_statefulset_strategy(const Value& strategy, const FieldPath& path, Causes& causes) {
  std::string_view type = text(strategy["type"]);
  if (type == "OnDelete" && is_set(strategy["rollingUpdate"])) {
    causes.invalid(path.child("rollingUpdate"), strategy["rollingUpdate"],
                   "only allowed for updateStrategy 'RollingUpdate'");
  } else if (!one_of(type, {"OnDelete", "RollingUpdate"})) {
    causes.invalid(path, strategy, "must be 'RollingUpdate' or 'OnDelete'");
  }
}

void validate_rolling_statefulset(const Value& update, const FieldPath& path, Causes& causes) {
  if (is_set(update["maxUnavailable"]) && zero_or_zero_percent(update["maxUnavailable"])) {
    causes.invalid(path.child("maxUnavailable"), update["maxUnavailable"], "cannot be 0");
  }
  check_percent(update, "maxUnavailable", path, causes);
}

void validate_daemonset_strategy(const Value& strategy, const FieldPath& path, Causes& causes) {
  if (text(strategy["type"]) == "RollingUpdate" && strategy["rollingUpdate"].is_null()) {
    causes.required(path.child("rollingUpdate"));
  }
}

void validate_rolling_daemonset(const Value& update, const FieldPath& path, Causes& causes) {
  check_percent(update, "maxUnavailable", path, causes);
  check_percent(update, "maxSurge", path, causes);
  bool no_unavailable = zero_or_zero_percent(update["maxUnavailable"]);
  bool no_surge = zero_or_zero_percent(update["maxSurge"]);
  if (!no_unavailable && !no_surge) {
    causes.invalid(path.child("maxSurge"), update["maxSurge"], "may not be set when maxUnavailable is non-zero");
  } else if (no_unavailable && no_surge) {
    causes.required(path.child("maxUnavailable"), "cannot be 0 when maxSurge is 0");
  }
}

// ---- status

void check_counts(const Value& status, std::initializer_list<std::string_view> names, std::string_view over_ready,
                  const FieldPath& path, Causes& causes) {
  for (std::string_view name : names) {
    if (status[name].as_int() > status["replicas"].as_int()) {
      causes.invalid(path.child(name), status[name], "cannot be greater than status.replicas");
    }
  }
  if (status["availableReplicas"].as_int() > status["readyReplicas"].as_int()) {
    causes.invalid(path.child("availableReplicas"), status["availableReplicas"], over_ready);
  }
}

constexpr std::string_view kOverReady = "cannot be greater than readyReplicas";

void validate_deployment_status(const Value& status, const FieldPath& path, Causes& causes) {
  check_counts(status, {"updatedReplicas", "readyReplicas", "availableReplicas"}, kOverReady, path, causes);
}
void validate_replicaset_status(const Value& status, const FieldPath& path, Causes& causes) {
  check_counts(status, {"fullyLabeledReplicas", "readyReplicas", "availableReplicas"}, kOverReady, path, causes);
}
void validate_statefulset_status(const Value& status, const FieldPath& path, Causes& causes) {
  check_counts(status, {"readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"},
               "cannot be greater than status.readyReplicas", path, causes);
}

void update_collision_count(const Value& before, const Value& after, const WriteContext&, const FieldPath& path,
                            Causes& causes) {
  if (is_set(before["collisionCount"]) && after["collisionCount"].as_int() < before["collisionCount"].as_int()) {
    causes.invalid(path.child("collisionCount"), after["collisionCount"], "cannot be decremented");
  }
}

// ---- kinds

void create_statefulset(const Value& set, const WriteContext&, const FieldPath& path, Causes& causes) {
  const Value& service = set["spec"]["serviceName"];
  FieldPath spec = path.child("spec");
  if (!is_empty(service)) dns_label(service, spec.child("serviceName"), causes);
}

void update_statefulset(const Value& before, const Value& after, const WriteContext& write, const FieldPath& path,
                        Causes& causes) {
  if (!write.subresource.empty()) return;
  auto fixed_part = [](const Value& spec) {
    Value rest = spec;
    for (std::string_view name : {"replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
                                  "persistentVolumeClaimRetentionPolicy", "minReadySeconds"}) {
      rest = rest.without(name);
    }
    return rest;
  };
  if (fixed_part(before["spec"]) == fixed_part(after["spec"])) return;
  causes.forbidden(path.child("spec"),
                   "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
                   "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
                   "'minReadySeconds' are forbidden");
}

void create_revision(const Value& revision, const WriteContext&, const FieldPath& path, Causes& causes) {
  const Value& data = revision["data"];
  if (data.is_null()) {
    causes.required(path.child("data"), "data is mandatory");
  } else if (!data.is_object()) {
    causes.required(path.child("data"), "data must be a valid JSON object");
  }
}

constexpr Hooks::Named<ValidateHook> kValidates[]{
    {"deployment_spec", {validate_deployment_spec}},
    {"replicaset_spec", {validate_replicaset_spec}},
    {"daemonset_spec", {validate_daemonset_spec}},
    {"statefulset_spec", {validate_statefulset_spec}},
    {"replication_controller_spec", {validate_controller_spec}},
    {"deployment_strategy", {validate_deployment_strategy}},
    {"rolling_update_deployment", {validate_rolling_deployment}},
    {"statefulset_update_strategy", {validate_statefulset_strategy}},
    {"rolling_update_statefulset", {validate_rolling_statefulset}},
    {"daemonset_update_strategy", {validate_daemonset_strategy}},
    {"rolling_update_daemonset", {validate_rolling_daemonset}},
    {"deployment_status", {validate_deployment_status}},
    {"replicaset_status", {validate_replicaset_status}},
    {"replication_controller_status", {validate_replicaset_status}},
    {"statefulset_status", {validate_statefulset_status}},
};
constexpr Hooks::Named<CreateHook> kCreates[]{
    {"statefulset", {create_statefulset}},
    {"controller_revision", {create_revision}},
};
constexpr Hooks::Named<UpdateHook> kUpdates[]{
    {"statefulset", {update_statefulset}},
    {"collision_count", {update_collision_count}},
};

}  // namespace

void add_workload_rules(Hooks& hooks) {
  hooks.add<ValidateHook>(kValidates);
  hooks.add<CreateHook>(kCreates);
  hooks.add<UpdateHook>(kUpdates);
}

}  // namespace orch::schema::rules
