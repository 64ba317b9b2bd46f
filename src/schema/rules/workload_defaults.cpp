// Defaults of apps/v1 and batch/v1, and what is done to their objects before validation.

#include "base/text.h"
#include "schema/rules/edit.h"
#include "schema/rules/rules.h"

namespace orch::schema::rules {

namespace {

Value with_rolling_update(const Value& strategy) {
  if (text(strategy["type"]) != "RollingUpdate") return strategy;
  return with_default(strategy, "rollingUpdate", Value::empty_object());
}

Value default_statefulset_strategy(const Value& strategy) {
  if (!is_empty(strategy["type"])) return strategy;
  return with_rolling_update(strategy.with("type", "RollingUpdate"));
}

Value default_statefulset(const Value& set) {
  return map_member(set, "spec", [](const Value& spec) {
    return map_member(spec, "volumeClaimTemplates", [](const Value& claims) {
      return map_items(claims, [](const Value& claim) {
        if (text(claim["kind"]) == "PersistentVolumeClaim" && text(claim["apiVersion"]) == "v1") return claim;
        return claim.with("kind", "PersistentVolumeClaim").with("apiVersion", "v1");
      });
    });
  });
}

Value default_failure_policy(const Value& policy) {
  return map_member(policy, "rules", [](const Value& rules) {
    return map_items(rules, [](const Value& rule) {
      return map_member(rule, "onPodConditions", [](const Value& conditions) {
        return map_items(conditions, [](const Value& condition) {
          return is_empty(condition["status"]) ? condition.with("status", "True") : condition;
        });
      });
    });
  });
}

Value default_job_spec(const Value& old_spec) {
  Value spec = old_spec;
  if (spec["completions"].is_null() && spec["parallelism"].is_null()) spec = spec.with("completions", 1);
  spec = with_default(spec, "parallelism", 1);
  spec = with_default(spec, "completionMode", "NonIndexed");
  spec = with_default(spec, "suspend", false);
  spec = with_default(spec, "manualSelector", false);
  spec = with_default(spec, "backoffLimit", spec["backoffLimitPerIndex"].is_null() ? 6 : INT32_MAX);
  bool has_policy = !spec["podFailurePolicy"].is_null();
  spec = with_default(spec, "podReplacementPolicy", has_policy ? "Failed" : "TerminatingOrFailed");
  return map_member(spec, "podFailurePolicy", default_failure_policy);
}

Value default_job(const Value& job) {
  Value result = map_member(job, "spec", default_job_spec);
  const Value& labels = result["spec"]["template"]["metadata"]["labels"];
  if (labels.empty() || !result["metadata"]["labels"].empty()) return result;
  return result.with_path({"metadata", "labels"}, labels);
}

// ---- prepare

constexpr std::string_view kUid = "batch.kubernetes.io/controller-uid";

Value prepare_job(const Value* old_object, const Value& job, const WriteContext&) {
  if (old_object || is_true(job["spec"]["manualSelector"])) return job;
  const Value& name = job["metadata"]["name"];
  const Value& uid = job["metadata"]["uid"];
  Value labels = job["spec"]["template"]["metadata"]["labels"];
  labels = with_default(labels, "job-name", name);
  labels = with_default(labels, "batch.kubernetes.io/job-name", name);
  labels = with_default(labels, "controller-uid", uid);
  labels = with_default(labels, kUid, uid);
  Value result = job.with_path({"spec", "template", "metadata", "labels"}, std::move(labels));
  Value matched = with_default(job["spec"]["selector"]["matchLabels"], kUid, uid);
  return result.with_path({"spec", "selector", "matchLabels"}, std::move(matched));
}

// The template's generation as DaemonSets of old counted it, kept in an annotation.
Value prepare_daemonset(const Value* old_object, const Value& set, const WriteContext& write) {
  constexpr std::string_view kAnnotation = "deprecated.daemonset.template.generation";
  if (!write.subresource.empty()) return set;
  Value generation("1");
  if (old_object) {
    int64_t before = parse_int(text((*old_object)["metadata"]["annotations"][kAnnotation])).value_or(0);
    bool changed = (*old_object)["spec"]["template"] != set["spec"]["template"];
    generation = std::to_string(changed ? before + 1 : before);
  }
  if (set["metadata"]["annotations"][kAnnotation] == generation) return set;
  return set.with_path({"metadata", "annotations", kAnnotation}, std::move(generation));
}

constexpr Hooks::Named<DefaultHook> kDefaults[]{
    {"deployment_strategy", {with_rolling_update}},
    {"daemonset_update_strategy", {with_rolling_update}},
    {"statefulset_update_strategy", {default_statefulset_strategy}},
    {"statefulset", {default_statefulset}},
    {"job", {default_job}},
};
constexpr Hooks::Named<PrepareHook> kPrepares[]{
    {"job", {prepare_job}},
    {"daemonset", {prepare_daemonset}},
};

}  // namespace

void add_workload_defaults(Hooks& hooks) {
  hooks.add<DefaultHook>(kDefaults);
  hooks.add<PrepareHook>(kPrepares);
}

}  // namespace orch::schema::rules
