#include "plan/workloads/replica_set.h"

#include <algorithm>

#include "data/selector.h"
#include "plan/core/index.h"
#include "plan/core/object.h"
#include "plan/core/pod.h"
#include "plan/core/status.h"
#include "plan/workloads/claim.h"
#include "plan/workloads/pod_ranking.h"
#include "plan/workloads/pod_template.h"

namespace orch::plan {

namespace {

// At most this many pods are created or deleted in one go.
constexpr int64_t burst = 500;
constexpr int create_batch = 1, remove_batch = 2;

// The pods of all ReplicaSets with the same controlling owner: a Deployment's.
std::vector<Value> related_pods(const Snapshot& snapshot, const Value& replica_set) {
  const Value& controller = controller_of(replica_set);
  if (controller.is_null()) return snapshot.indexed(types::pods, index::controller, uid_of(replica_set));
  std::vector<Value> pods;
  for (const Value& sibling : snapshot.indexed(types::replica_sets, index::controller, controller["uid"].as_string()))
    for (Value& pod : snapshot.indexed(types::pods, index::controller, uid_of(sibling)))
      pods.push_back(std::move(pod));
  return pods;
}

void plan_creations(const Value& replica_set, int64_t count, Plan& plan) {
  Value pod = pod_from_template(replica_set["spec"]["template"], types::replica_sets, replica_set);
  for (int64_t i = 0; i < std::min(count, burst); ++i) {
    Action action = create(types::pods, pod);
    action.batch = create_batch;
    action.on_success.push_back(Note{NoteType::normal, "SuccessfulCreate", "Created pod: {name}", {}});
    action.on_failure.push_back(Note{NoteType::warning, "FailedCreate", "Error creating: {error}", {}});
    plan.add(std::move(action));
  }
}

void plan_removals(const Snapshot& snapshot, const Value& replica_set, const std::vector<Value>& pods,
                   int64_t count, Instant now, Plan& plan) {
  auto chosen = choose_pods_to_delete(pods, related_pods(snapshot, replica_set),
                                      static_cast<size_t>(std::min(count, burst)), now);
  for (const Value& pod : chosen) {
    Action action = remove(types::pods, pod);
    action.batch = remove_batch;
    action.on_success.push_back(Note{NoteType::normal, "SuccessfulDelete", "Deleted pod: {name}", {}});
    action.on_failure.push_back(Note{NoteType::warning, "FailedDelete", "Error deleting: {error}", {}});
    plan.add(std::move(action));
  }
}

Value failure_conditions(const Value& conditions, int64_t surplus, const Context& context) {
  if (!context.last_failure || surplus == 0) return without_condition(conditions, "ReplicaFailure");
  if (!find_condition(conditions, "ReplicaFailure").is_null()) return conditions;
  return set_condition(conditions,
                       make_condition("ReplicaFailure", "True", surplus < 0 ? "FailedCreate" : "FailedDelete",
                                      context.last_failure->message(), context.now));
}

Value count_pods(const Value& replica_set, const std::vector<Value>& pods, int64_t surplus, const Context& context) {
  const Value& spec = replica_set["spec"];
  LabelSelector template_labels = LabelSelector::from_map(spec["template"]["metadata"]["labels"]);
  const int64_t min_ready_seconds = spec["minReadySeconds"].as_int();
  int64_t labelled = 0, ready = 0, available = 0;
  for (const Value& pod : pods) {
    if (template_labels.matches(labels_of(pod))) ++labelled;
    if (is_pod_ready(pod)) ++ready;
    if (is_pod_available(pod, min_ready_seconds, context.now)) ++available;
  }
  StatusBuilder status;
  status.always("replicas", static_cast<int64_t>(pods.size()))
      .count("fullyLabeledReplicas", labelled)
      .count("readyReplicas", ready)
      .count("availableReplicas", available)
      .count("observedGeneration", generation_of(replica_set))
      .present("conditions", failure_conditions(replica_set["status"]["conditions"], surplus, context));
  return std::move(status).build();
}

// When the first ready pod will have been ready long enough to be available.
void requeue_for_availability(const Value& replica_set, const std::vector<Value>& pods, Instant now, Plan& plan) {
  const int64_t min_ready_seconds = replica_set["spec"]["minReadySeconds"].as_int();
  if (min_ready_seconds == 0) return;
  for (const Value& pod : pods) {
    if (!is_pod_ready(pod) || is_pod_available(pod, min_ready_seconds, now)) continue;
    auto since = time_of(pod_condition(pod, "Ready")["lastTransitionTime"]).value_or(now);
    // Available is "strictly longer", and times in objects are whole seconds.
    plan.requeue(std::max<Duration>(since + std::chrono::seconds(min_ready_seconds) - now, 0s) + 1ms);
  }
}

}  // namespace

Plan reconcile_replica_set(const Snapshot& snapshot, const ObjectKey& key, const Context& context) {
  Plan plan;
  const Value replica_set = snapshot.get(types::replica_sets, key.ns, key.name);
  if (replica_set.is_null()) return plan;
  auto selector = LabelSelector::from_object(replica_set["spec"]["selector"]);
  if (!selector.ok()) return plan;  // validation lets none through

  std::vector<Value> candidates;
  for (Value& pod : claim_candidates(snapshot, types::pods, replica_set))
    if (is_pod_active(pod)) candidates.push_back(std::move(pod));
  Claim claim{types::replica_sets, replica_set, types::pods, selector.value()};
  std::vector<Value> pods = claim_objects(claim, candidates, plan);

  const int64_t surplus = static_cast<int64_t>(pods.size()) - replica_set["spec"]["replicas"].as_int();
  if (!is_deleting(replica_set)) {
    if (surplus < 0) plan_creations(replica_set, -surplus, plan);
    if (surplus > 0) plan_removals(snapshot, replica_set, pods, surplus, context.now, plan);
  }
  Value status = count_pods(replica_set, pods, surplus, context);
  if (status != replica_set["status"])
    plan.add(update_status(types::replica_sets, replica_set.with("status", status)));
  requeue_for_availability(replica_set, pods, context.now, plan);
  return plan;
}

namespace {

// A pod tells its ReplicaSet, the former one too; one that nobody controls tells all that match.
void keys_of_pod(const Snapshot& snapshot, const Type&, const Value& old, const Value& now,
                 std::vector<ObjectKey>& keys) {
  const Value& pod = now.is_null() ? old : now;
  for (const Value* state : {&old, &now}) {
    const Value& controller = controller_of(*state);
    if (controller["kind"].as_string() == "ReplicaSet")
      keys.push_back(ObjectKey{"", std::string(namespace_of(pod)), std::string(controller["name"].as_string())});
  }
  if (now.is_null() || !controller_of(now).is_null()) return;
  for (const Value& replica_set : snapshot.list(types::replica_sets, namespace_of(pod))) {
    auto selector = LabelSelector::from_object(replica_set["spec"]["selector"]);
    if (selector.ok() && selector.value().matches(labels_of(pod))) keys.push_back(key_of(replica_set));
  }
}

}  // namespace

Reconciler replica_set_reconciler() {
  return Reconciler{"replicaset-controller",
                    types::replica_sets,
                    {{types::replica_sets, own_key}, {types::pods, keys_of_pod}},
                    reconcile_replica_set};
}

}  // namespace orch::plan
