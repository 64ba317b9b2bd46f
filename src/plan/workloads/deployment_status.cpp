// What a Deployment reports: counts and the conditions Available, Progressing and ReplicaFailure, in
// the words that `kubectl rollout status` looks for.

#include <algorithm>

#include "base/text.h"
#include "plan/core/status.h"
#include "plan/workloads/deployment_rollout.h"

namespace orch::plan::rollout {

namespace {

Value make_deployment_condition(std::string_view type, std::string_view status, std::string_view reason,
                                std::string_view message, Instant now) {
  return make_condition(type, status, reason, message, now).with("lastUpdateTime", format_time(now));
}

Value count_status(const Rollout& rollout, const Value& conditions) {
  int64_t updated = 0;
  if (const Set* set = rollout.current_set()) updated = set->status("replicas");
  const int64_t available = rollout.total_status("availableReplicas");
  StatusBuilder status;
  status.count("observedGeneration", generation_of(rollout.deployment))
      .count("replicas", rollout.total_status("replicas"))
      .count("updatedReplicas", updated)
      .count("readyReplicas", rollout.total_status("readyReplicas"))
      .count("availableReplicas", available)
      .count("unavailableReplicas", std::max<int64_t>(rollout.total_replicas() - available, 0))
      .present("conditions", conditions);
  if (rollout.collision_count) status.always("collisionCount", *rollout.collision_count);
  return std::move(status).build();
}

Value with_availability(const Rollout& rollout) {
  const int64_t wanted = rollout.replicas() - max_unavailable(rollout.deployment);
  const bool enough = rollout.total_status("availableReplicas") >= wanted;
  return set_condition(
      rollout.conditions,
      enough ? make_deployment_condition("Available", "True", "MinimumReplicasAvailable",
                                         "Deployment has minimum availability.", rollout.now)
             : make_deployment_condition("Available", "False", "MinimumReplicasUnavailable",
                                         "Deployment does not have minimum availability.", rollout.now));
}

// A failure of the current set to make pods, else of any set.
Value with_replica_failure(const Rollout& rollout, const Value& conditions) {
  auto failure_of = [](const Set& set) -> const Value& {
    return find_condition(set.object["status"]["conditions"], "ReplicaFailure");
  };
  const Value* failure = &Value::null();
  if (const Set* set = rollout.current_set()) failure = &failure_of(*set);
  for (const Set& set : rollout.sets)
    if (failure->is_null()) failure = &failure_of(set);
  if (failure->is_null()) return without_condition(conditions, "ReplicaFailure");
  return set_condition(conditions, failure->with("lastUpdateTime", (*failure)["lastTransitionTime"]));
}

bool is_progressing(const Value& old, const Value& now) {
  auto old_pods = [](const Value& status) {
    return status["replicas"].as_int() - status["updatedReplicas"].as_int();
  };
  return now["updatedReplicas"].as_int() > old["updatedReplicas"].as_int() || old_pods(now) < old_pods(old) ||
         now["readyReplicas"].as_int() > old["readyReplicas"].as_int() ||
         now["availableReplicas"].as_int() > old["availableReplicas"].as_int();
}

Duration deadline_of(const Rollout& rollout) {
  return std::chrono::seconds(rollout.spec()["progressDeadlineSeconds"].as_int());
}

bool has_timed_out(const Rollout& rollout) {
  const Value& condition = find_condition(rollout.conditions, "Progressing");
  if (condition.is_null()) return false;
  std::string_view reason = condition["reason"].as_string();
  if (reason == "NewReplicaSetAvailable") return false;
  if (reason == "ProgressDeadlineExceeded") return true;
  auto since = time_of(condition["lastUpdateTime"]);
  return since && *since + deadline_of(rollout) < rollout.now;
}

std::string what_progresses(const Rollout& rollout) {
  if (const Set* set = rollout.current_set()) return "ReplicaSet " + quote(set->name());
  return "Deployment " + quote(name_of(rollout.deployment));
}

// The Progressing condition that follows from the new counts.
Value with_progress(const Rollout& rollout, const Value& conditions, const Value& status) {
  const std::string what = what_progresses(rollout);
  const Value& old_status = rollout.deployment["status"];
  if (is_complete(rollout.deployment, status)) {
    return set_condition(conditions, make_deployment_condition("Progressing", "True", "NewReplicaSetAvailable",
                                                               what + " has successfully progressed.", rollout.now));
  }
  if (is_progressing(old_status, status)) {
    // Each step of progress moves lastUpdateTime: the deadline counts from there.
    Value condition = make_deployment_condition("Progressing", "True", "ReplicaSetUpdated",
                                                what + " is progressing.", rollout.now);
    const Value& before = find_condition(conditions, "Progressing");
    if (before["status"].as_string() == "True")
      condition = condition.with("lastTransitionTime", before["lastTransitionTime"]);
    return without_condition(conditions, "Progressing").appended(condition);
  }
  if (has_timed_out(rollout)) {
    return set_condition(conditions, make_deployment_condition("Progressing", "False", "ProgressDeadlineExceeded",
                                                               what + " has timed out progressing.", rollout.now));
  }
  return conditions;
}

}  // namespace

Value set_progress(const Rollout& rollout, std::string_view status, std::string_view reason,
                   std::string_view message) {
  return set_condition(rollout.conditions,
                       make_deployment_condition("Progressing", status, reason, message, rollout.now));
}

void sync_paused_condition(Rollout& rollout) {
  if (!rollout.has_progress_deadline()) return;
  std::string_view reason = find_condition(rollout.conditions, "Progressing")["reason"].as_string();
  if (reason == "ProgressDeadlineExceeded") return;  // says more
  const bool paused = rollout.spec()["paused"].as_bool(), known = reason == "DeploymentPaused";
  if (paused && !known)
    rollout.conditions = set_progress(rollout, "Unknown", "DeploymentPaused", "Deployment is paused");
  if (!paused && known)
    rollout.conditions = set_progress(rollout, "Unknown", "DeploymentResumed", "Deployment is resumed");
}

bool is_complete(const Value& deployment, const Value& status) {
  const int64_t replicas = deployment["spec"]["replicas"].as_int(1);
  return status["updatedReplicas"].as_int() == replicas && status["replicas"].as_int() == replicas &&
         status["availableReplicas"].as_int() == replicas &&
         status["observedGeneration"].as_int() >= generation_of(deployment);
}

Value status_without_progress(const Rollout& rollout) { return count_status(rollout, with_availability(rollout)); }

Value status_with_progress(const Rollout& rollout) {
  Value conditions = with_availability(rollout);
  const Value counts = count_status(rollout, conditions);
  if (!rollout.has_progress_deadline()) {
    conditions = without_condition(conditions, "Progressing");
  } else {
    const bool all_updated = counts["replicas"].as_int() == counts["updatedReplicas"].as_int();
    std::string_view reason = find_condition(rollout.conditions, "Progressing")["reason"].as_string();
    if (!(all_updated && reason == "NewReplicaSetAvailable")) conditions = with_progress(rollout, conditions, counts);
  }
  return count_status(rollout, with_replica_failure(rollout, conditions));
}

std::optional<Duration> until_deadline(const Rollout& rollout, const Value& status) {
  if (!rollout.has_progress_deadline() || is_complete(rollout.deployment, status)) return std::nullopt;
  const Value& condition = find_condition(status["conditions"], "Progressing");
  auto since = time_of(condition["lastUpdateTime"]);
  std::string_view reason = condition["reason"].as_string();
  if (!since || reason == "ProgressDeadlineExceeded" || reason == "NewReplicaSetAvailable") return std::nullopt;
  return std::max<Duration>(*since + deadline_of(rollout) - rollout.now, 0s) + 1s;
}

}  // namespace orch::plan::rollout
