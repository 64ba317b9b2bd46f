// Validation of jobs and cron jobs.

#include <limits>
#include <set>

#include "data/selector.h"
#include "schema/rules/check.h"
#include "schema/rules/rules.h"

namespace orch::schema::rules {

namespace {

constexpr int64_t kManyIndexes = 100000;
constexpr int64_t kFewIndexes = 10000;

bool indexed(const Value& spec) { return text(spec["completionMode"]) == "Indexed"; }

void check_at_most(const Value& spec, std::string_view name, int64_t limit, std::string_view detail,
                   const FieldPath& path, Causes& causes) {
  if (spec[name].as_int() > limit) causes.invalid(path.child(name), spec[name], detail);
}

void check_indexed(const Value& spec, const FieldPath& path, Causes& causes) {
  const Value& completions = spec["completions"];
  if (completions.is_null()) {
    causes.required(path.child("completions"), "when completion mode is Indexed");
  }
  check_at_most(spec, "parallelism", kManyIndexes,
                "must be less than or equal to 100000 when completion mode is Indexed", path, causes);
  const Value& failed = spec["maxFailedIndexes"];
  if (is_set(completions) && is_set(failed) && failed.as_int() > completions.as_int()) {
    causes.invalid(path.child("maxFailedIndexes"), failed, "must be less than or equal to completions");
  }
  check_at_most(spec, "maxFailedIndexes", kManyIndexes, "must be less than or equal to 100000", path, causes);
  if (completions.as_int() <= kManyIndexes || spec["backoffLimitPerIndex"].is_null()) return;
  if (failed.is_null()) {
    causes.required(path.child("maxFailedIndexes"), "must be specified when completions is above 100000");
  }
  constexpr std::string_view kText =
      "must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index";
  check_at_most(spec, "maxFailedIndexes", kFewIndexes, kText, path, causes);
  check_at_most(spec, "parallelism", kFewIndexes, kText, path, causes);
}

void check_exit_codes(const Value& codes, const Value& spec, const FieldPath& path, Causes& causes) {
  const Value& name = codes["containerName"];
  if (is_set(name)) {
    bool known = false;
    for (std::string_view list : {"containers", "initContainers"}) {
      for (const Value& container : spec["template"]["spec"][list].items()) known = known || container["name"] == name;
    }
    if (!known) {
      causes.invalid(path.child("containerName"), name,
                     "must be one of the container or initContainer names in the pod template");
    }
  }
  const Value& values = codes["values"];
  FieldPath at = path.child("values");
  if (values.empty()) {
    causes.invalid(at, values, "at least one value is required");
    return;
  }
  auto all = values.items();
  size_t i = 0;
  std::set<int64_t> seen;
  for (const Value& value : all) {
    if (!seen.insert(value.as_int()).second) causes.duplicate(at.index(i), value);
    if (text(codes["operator"]) == "In" && value.as_int() == 0) {
      causes.invalid(at.index(i), value, "must not be 0 for the In operator");
    }
    ++i;
  }
  bool sorted = std::ranges::is_sorted(all, [](const Value& a, const Value& b) { return a.as_int() < b.as_int(); });
  if (!sorted) causes.invalid(at, values, "must be ordered");
}

void check_failure_policy(const Value& spec, const FieldPath& path, Causes& causes) {
  FieldPath policy = path.child("podFailurePolicy");
  each(spec["podFailurePolicy"], "rules", policy, [&](const Value& rule, const FieldPath& at) {
    bool codes = is_set(rule["onExitCodes"]);
    bool conditions = !rule["onPodConditions"].empty();
    if (codes && conditions) {
      causes.invalid(at, "specifying both OnExitCodes and OnPodConditions is not supported");
    } else if (!codes && !conditions) {
      causes.invalid(at, "specifying one of OnExitCodes and OnPodConditions is required");
    }
    if (codes) check_exit_codes(rule["onExitCodes"], spec, at.child("onExitCodes"), causes);
    if (!is_empty(rule["action"]) && !one_of(text(rule["action"]), {"Count", "FailIndex", "FailJob", "Ignore"}))
      causes.not_supported(at.child("action"), rule["action"], {"Count", "FailIndex", "FailJob", "Ignore"});
    if (text(rule["action"]) == "FailIndex" && spec["backoffLimitPerIndex"].is_null()) {
      causes.invalid(at.child("action"), rule["action"], "requires the backoffLimitPerIndex to be set");
    }
  });
  if (spec["podFailurePolicy"].is_null()) return;
  const Value& replacement = spec["podReplacementPolicy"];
  if (is_set(replacement) && text(replacement) != "Failed") {
    causes.not_supported(path.child("podReplacementPolicy"), replacement, {"Failed"});
  }
}

// "1,3-5": how many indexes; -1 and the problem in `problem` where it is none.
int64_t count_indexes(std::string_view text_value, int64_t completions, std::string& problem) {
  int64_t total = 0, last = -1;
  for (std::string_view part : split(text_value, ',')) {
    auto ends = split(part, '-');
    auto first = parse_int(ends[0]);
    auto second = ends.size() > 1 ? parse_int(ends[1]) : first;
    if (ends.size() > 2 || !first || !second) {
      problem = "cannot convert string to integer for index: " + quote(part);
      return -1;
    }
    if (*first <= last || *second < *first || *first < 0) {
      problem = "non-increasing order, previous: " + std::to_string(last) + ", current: " + std::to_string(*first);
      return -1;
    }
    if (completions > 0 && *second >= completions) {
      problem = "too large index: " + quote(part);
      return -1;
    }
    total += *second - *first + 1;
    last = *second;
  }
  return total;
}

void check_success_policy(const Value& spec, const FieldPath& path, Causes& causes) {
  FieldPath policy = path.child("successPolicy");
  int64_t completions = spec["completions"].as_int();
  each(spec["successPolicy"], "rules", policy, [&](const Value& rule, const FieldPath& at) {
    const Value& count = rule["succeededCount"];
    const Value& indexes = rule["succeededIndexes"];
    if (count.is_null() && indexes.is_null()) {
      causes.required(at, "at least one of succeededCount or succeededIndexes must be specified");
    }
    int64_t size = std::numeric_limits<int64_t>::max();
    if (is_set(indexes)) {
      std::string problem;
      FieldPath at_indexes = at.child("succeededIndexes");
      if (text(indexes).size() > 65536) causes.too_long(at_indexes, 65536);
      size = count_indexes(text(indexes), completions, problem);
      if (size < 0) causes.invalid(at_indexes, indexes, "error parsing succeededIndexes: " + problem);
    }
    if (count.is_null()) return;
    FieldPath at_count = at.child("succeededCount");
    if (is_set(spec["completions"]) && count.as_int() > completions) {
      causes.invalid(at_count, count, "must be less than or equal to " + std::to_string(completions) +
                                          " (the number of specified completions)");
    }
    if (size >= 0 && count.as_int() > size) {
      causes.invalid(at_count, count, "must be less than or equal to " + std::to_string(size) +
                                          " (the number of indexes in the specified succeededIndexes field)");
    }
  });
}

void validate_job_spec(const Value& spec, const FieldPath& path, Causes& causes) {
  if (is_set(spec["maxFailedIndexes"]) && spec["backoffLimitPerIndex"].is_null()) {
    causes.required(path.child("backoffLimitPerIndex"), "when maxFailedIndexes is specified");
  }
  if (indexed(spec)) {
    check_indexed(spec, path, causes);
  } else {
    for (std::string_view name : {"backoffLimitPerIndex", "maxFailedIndexes", "successPolicy"}) {
      if (is_set(spec[name])) causes.invalid(path.child(name), spec[name], "requires indexed completion mode");
    }
  }
  check_failure_policy(spec, path, causes);
  check_success_policy(spec, path, causes);
  FieldPath pod_template = path.child("template");
  FieldPath pod_spec = pod_template.child("spec");
  FieldPath at = pod_spec.child("restartPolicy");
  const Value& restart = spec["template"]["spec"]["restartPolicy"];
  if (text(restart) == "Always" || is_empty(restart)) {
    causes.required(at, "valid values: \"OnFailure\", \"Never\"");
  } else if (is_set(spec["podFailurePolicy"]) && text(restart) != "Never") {
    causes.invalid(at, restart, "only \"Never\" is supported when podFailurePolicy is specified");
  }
}

// ---- the job as a whole

void check_generated_label(const Value& labels, std::string_view key, const Value& wanted, const FieldPath& path,
                           Causes& causes) {
  std::string detail = "must be '" + std::string(text(wanted)) + "'";
  if (!labels.has(key)) {
    causes.required(path.key(key), detail);
  } else if (labels[key] != wanted) {
    causes.invalid(path, labels, detail);
  }
}

void check_job_selector(const Value& job, const FieldPath& path, Causes& causes) {
  const Value& spec = job["spec"];
  FieldPath spec_path = path.child("spec");
  FieldPath at_selector = spec_path.child("selector");
  if (spec["selector"].is_null()) {
    causes.required(at_selector);
    return;
  }
  FieldPath pod_template = spec_path.child("template");
  FieldPath metadata = pod_template.child("metadata");
  FieldPath at_labels = metadata.child("labels");
  const Value& labels = spec["template"]["metadata"]["labels"];
  auto selector = LabelSelector::from_object(spec["selector"]);
  if (selector.ok() && !selector->matches(labels)) {
    causes.invalid(at_labels, labels.is_null() ? Value::empty_object() : labels,
                   "`selector` does not match template `labels`");
  }
  if (is_true(spec["manualSelector"])) return;
  const Value& uid = job["metadata"]["uid"];
  const Value& name = job["metadata"]["name"];
  if (is_empty(uid)) return;  // not stored yet, nothing was generated
  check_generated_label(labels, "controller-uid", uid, at_labels, causes);
  check_generated_label(labels, "job-name", name, at_labels, causes);
  check_generated_label(labels, "batch.kubernetes.io/controller-uid", uid, at_labels, causes);
  check_generated_label(labels, "batch.kubernetes.io/job-name", name, at_labels, causes);
  const Value& matched = spec["selector"]["matchLabels"];
  if (matched["batch.kubernetes.io/controller-uid"] != uid && matched["controller-uid"] != uid) {
    causes.invalid(at_selector, spec["selector"], "`selector` not auto-generated");
  }
}

void validate_job(const Value& job, const FieldPath& path, Causes& causes) {
  check_job_selector(job, path, causes);
  const Value& completions = job["spec"]["completions"];
  if (!indexed(job["spec"]) || completions.as_int() <= 0) return;
  std::string pod = std::string(text(job["metadata"]["name"])) + "-" + std::to_string(completions.as_int() - 1);
  FieldPath metadata = path.child("metadata");
  for (const std::string& problem : dns_label_problems(pod)) {
    causes.invalid(metadata.child("name"), job["metadata"]["name"],
                   "will not able to create pod with invalid DNS label: " + pod + ": " + problem);
  }
}

const Value& condition_of(const Value& status, std::string_view type) {
  for (const Value& condition : status["conditions"].items()) {
    if (text(condition["type"]) == type) return condition;
  }
  return Value::null();
}
bool holds(const Value& status, std::string_view type) {
  return text(condition_of(status, type)["status"]) == "True";
}

// Of the template of a suspended job that never ran, what says where its pods run may change.
Value fixed_template(const Value& pod_template, bool may_move) {
  if (!may_move) return pod_template;
  Value fixed = pod_template;
  for (std::string_view name : {"nodeSelector", "tolerations", "schedulingGates"}) {
    fixed = fixed.with_path({"spec", name}, std::nullopt);
  }
  fixed = fixed.with_path({"spec", "affinity", "nodeAffinity"}, std::nullopt);
  if (fixed["spec"]["affinity"].empty()) fixed = fixed.with_path({"spec", "affinity"}, std::nullopt);
  for (std::string_view name : {"labels", "annotations"}) {
    fixed = fixed.with_path({"metadata", name}, std::nullopt);
  }
  return fixed;
}

void update_job_spec(const Value& before, const Value& after, const FieldPath& path, Causes& causes) {
  const Value& was = before["spec"];
  const Value& is = after["spec"];
  if (was["completions"] != is["completions"]) {
    FieldPath at = path.child("completions");
    if (!indexed(is) || was["completions"].is_null() || is["completions"].is_null()) {
      causes.invalid(at, is["completions"], "field is immutable");
    } else if (is["completions"] != is["parallelism"]) {
      causes.invalid(at, is["completions"], "can only be modified in tandem with spec.parallelism");
    }
  }
  for (std::string_view name : {"selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex",
                                "managedBy", "successPolicy"}) {
    immutable(was[name], is[name], path.child(name), causes);
  }
  bool may_move = is_true(was["suspend"]) && before["status"]["startTime"].is_null();
  if (fixed_template(was["template"], may_move) != fixed_template(is["template"], may_move)) {
    causes.invalid(path.child("template"), is["template"], "field is immutable");
  }
}

void update_job_status(const Value& before, const Value& after, const FieldPath& path, Causes& causes) {
  const Value& was = before["status"];
  const Value& is = after["status"];
  FieldPath conditions = path.child("conditions");
  for (std::string_view type : {"Failed", "Complete", "FailureTarget", "SuccessCriteriaMet"}) {
    if (holds(was, type) && !holds(is, type)) {
      causes.invalid(conditions, is["conditions"],
                     "cannot disable the terminal " + std::string(type) + "=True condition");
    }
  }
  if (is["succeeded"].as_int() < was["succeeded"].as_int() && !indexed(after["spec"])) {
    causes.invalid(path.child("succeeded"), is["succeeded"], "cannot decrease the succeeded counter");
  }
  if (is["failed"].as_int() < was["failed"].as_int()) {
    causes.invalid(path.child("failed"), is["failed"], "cannot decrease the failed counter");
  }
  if (is_set(was["completionTime"]) && was["completionTime"] != is["completionTime"]) {
    causes.invalid(path.child("completionTime"), is["completionTime"], "completionTime cannot be mutated");
  }
  if (is_set(was["startTime"]) && is["startTime"].is_null() && !is_true(after["spec"]["suspend"])) {
    causes.required(path.child("startTime"), "startTime cannot be removed for unsuspended job");
  }
}

void update_job(const Value& before, const Value& after, const WriteContext& write, const FieldPath& path,
                Causes& causes) {
  if (write.subresource.empty()) update_job_spec(before, after, path.child("spec"), causes);
  if (write.subresource == "status") update_job_status(before, after, path.child("status"), causes);
}

void validate_job_status(const Value& status, const FieldPath& path, Causes& causes) {
  FieldPath conditions = path.child("conditions");
  bool complete = holds(status, "Complete"), failed = holds(status, "Failed");
  bool target = holds(status, "FailureTarget"), met = holds(status, "SuccessCriteriaMet");
  auto refuse = [&](bool wrong, std::string_view detail) {
    if (wrong) causes.invalid(conditions, status["conditions"], detail);
  };
  refuse(complete && failed, "cannot set Complete=True and Failed=true conditions");
  refuse(complete && target, "cannot set Complete=True and FailureTarget=true conditions");
  refuse(failed && met, "cannot set SuccessCriteriaMet=True and Failed=true conditions");
  refuse(failed && !target, "cannot set Failed=True condition without the FailureTarget=true condition");
  refuse(complete && !met, "cannot set Complete=True condition without the SuccessCriteriaMet=true condition");
  const Value& end = status["completionTime"];
  FieldPath at_end = path.child("completionTime");
  if (is_set(end) && !complete) {
    causes.invalid(at_end, end, "cannot set completionTime when there is no Complete=True condition");
  }
  if (end.is_null() && complete) causes.required(at_end, "completionTime is required for Complete jobs");
  if (is_set(end) && is_set(status["startTime"]) && text(end) < text(status["startTime"])) {
    causes.invalid(at_end, end, "completionTime cannot be set before startTime");
  }
  if (complete || failed) {
    for (std::string_view name : {"active", "terminating"}) {
      if (status[name].as_int() > 0) {
        causes.invalid(path.child(name), status[name], std::string(name) + ">0 is invalid for finished job");
      }
    }
    if (status["startTime"].is_null()) {
      causes.required(path.child("startTime"), "startTime is required for finished job");
    }
  }
  if (status["ready"].as_int() > status["active"].as_int()) {
    causes.invalid(path.child("ready"), status["ready"], "cannot set more ready pods than active");
  }
}

// ---- CronJob

void validate_cron_spec(const Value& spec, const FieldPath& path, Causes& causes) {
  if (text(spec["schedule"]).find("TZ") != std::string_view::npos) {
    causes.invalid(path.child("schedule"), spec["schedule"],
                   "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
  }
  FieldPath job = path.child("jobTemplate");
  FieldPath job_spec = job.child("spec");
  const Value& inside = spec["jobTemplate"]["spec"];
  if (is_set(inside["selector"])) {
    causes.invalid(job_spec.child("selector"), inside["selector"], "`selector` will be auto-generated");
  }
  if (is_true(inside["manualSelector"])) {
    causes.not_supported(job_spec.child("manualSelector"), inside["manualSelector"], {"nil", "false"});
  }
}

void create_cron(const Value& cron, const WriteContext&, const FieldPath& path, Causes& causes) {
  const Value& name = cron["metadata"]["name"];
  FieldPath metadata = path.child("metadata");
  if (text(name).size() > 52) {
    causes.invalid(metadata.child("name"), name, "must be no more than 52 characters");
  }
}

constexpr Hooks::Named<ValidateHook> kValidates[]{
    {"job", {validate_job}},
    {"job_spec", {validate_job_spec}},
    {"job_status", {validate_job_status}},
    {"cron_job_spec", {validate_cron_spec}},
};
constexpr Hooks::Named<CreateHook> kCreates[]{{"cron_job", {create_cron}}};
constexpr Hooks::Named<UpdateHook> kUpdates[]{{"job", {update_job}}};

}  // namespace

void add_batch_rules(Hooks& hooks) {
  hooks.add<ValidateHook>(kValidates);
  hooks.add<CreateHook>(kCreates);
  hooks.add<UpdateHook>(kUpdates);
}

}  // namespace orch::schema::rules
