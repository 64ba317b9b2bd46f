#include "plan/workloads/deployment.h"

#include <algorithm>
#include <limits>

#include "data/selector.h"
#include "plan/core/index.h"
#include "plan/core/pod.h"
#include "plan/core/status.h"
#include "plan/workloads/claim.h"
#include "plan/workloads/deployment_rollout.h"

namespace orch::plan {

namespace rollout {

std::vector<Set*> Rollout::old_sets() {
  std::vector<Set*> old;
  for (size_t i = 0; i < sets.size(); ++i)
    if (i != current) old.push_back(&sets[i]);
  return old;
}

int64_t Rollout::total_replicas() const {
  int64_t total = 0;
  for (const Set& set : sets) total += set.replicas();
  return total;
}

int64_t Rollout::total_status(std::string_view count) const {
  int64_t total = 0;
  for (const Set& set : sets) total += set.status(count);
  return total;
}

bool Rollout::has_progress_deadline() const {
  const Value& deadline = spec()["progressDeadlineSeconds"];
  return deadline.is_int() && deadline.as_int() != std::numeric_limits<int32_t>::max();
}

namespace {

Rollout look_at(const Snapshot& snapshot, const Value& deployment, const LabelSelector& selector,
                const Context& context, Plan& plan) {
  Rollout rollout;
  rollout.deployment = deployment;
  rollout.now = context.now;
  rollout.last_failure = context.last_failure;
  const Value& status = deployment["status"];
  rollout.conditions = status["conditions"];
  if (status["collisionCount"].is_int()) rollout.collision_count = status["collisionCount"].as_int();
  Claim claim{types::deployments, deployment, types::replica_sets, selector};
  for (Value& set : claim_objects(claim, claim_candidates(snapshot, types::replica_sets, deployment), plan))
    rollout.sets.push_back(Set{set, set, {}});
  std::sort(rollout.sets.begin(), rollout.sets.end(),
            [](const Set& a, const Set& b) { return is_older(a.object, b.object); });
  find_current(rollout);
  return rollout;
}

// Is there still a pod of an old revision, even one that its ReplicaSet no longer counts?
bool old_pods_run(Rollout& rollout, const Snapshot& snapshot) {
  for (const Set* set : rollout.old_sets()) {
    if (set->status("replicas") > 0) return true;
    for (const Value& pod : snapshot.indexed(types::pods, index::controller, uid_of(set->object)))
      if (!is_pod_finished(pod)) return true;
  }
  return false;
}

void resize_for_recreate(Rollout& rollout, const Snapshot& snapshot) {
  sync_current(rollout, snapshot, Missing::leave);
  bool shrunk = false;
  for (Set* old : rollout.old_sets()) shrunk |= resize(rollout, *old, 0);
  if (shrunk || old_pods_run(rollout, snapshot)) return;
  if (!rollout.current) sync_current(rollout, snapshot, Missing::create);
  if (rollout.stop) return;
  if (Set* set = rollout.current_set()) resize(rollout, *set, rollout.replicas());
  if (is_complete(rollout.deployment, rollout.deployment["status"])) remove_old_revisions(rollout);
}

void resize_for_rolling_update(Rollout& rollout, const Snapshot& snapshot) {
  sync_current(rollout, snapshot, Missing::create);
  if (rollout.stop) return;
  // Growing and shrinking take turns: what grew must be seen before anything else shrinks.
  if (grow_current(rollout) || shrink_old(rollout)) return;
  if (is_complete(rollout.deployment, rollout.deployment["status"])) remove_old_revisions(rollout);
}

void add_set_action(const Set& set, Plan& plan) {
  if (set.removed) {
    plan.add(remove(types::replica_sets, set.original));
  } else if (set.original.is_null()) {
    Action action = create(types::replica_sets, set.object);
    action.on_success = set.notes;
    action.on_failure.push_back(Note{NoteType::warning, "ReplicaSetCreateError",
                                     "Failed to create new replica set \"" + set.name() + "\": {error}", {}});
    plan.add(std::move(action));
  } else if (set.object != set.original) {
    Action action = update(types::replica_sets, set.object);
    action.on_success = set.notes;
    plan.add(std::move(action));
  }
}

// The current set first: what it cannot get the old ones must not lose.
void add_set_actions(const Rollout& rollout, Plan& plan) {
  if (const Set* set = rollout.current_set()) add_set_action(*set, plan);
  for (size_t i = 0; i < rollout.sets.size(); ++i)
    if (i != rollout.current) add_set_action(rollout.sets[i], plan);
}

void finish(const Rollout& rollout, const Value& status, Plan& plan) {
  const Value& deployment = rollout.deployment;
  if (!rollout.creation_failed) add_set_actions(rollout, plan);
  if (status != deployment["status"]) plan.add(update_status(types::deployments, deployment.with("status", status)));
  if (rollout.creation_failed) add_set_actions(rollout, plan);
  // The status first: it goes with the resourceVersion we know, which the annotation changes.
  if (!rollout.revision.empty()) {
    Value patch = Value().with_path({"metadata", "annotations", annotation::revision}, Value(rollout.revision));
    Action action = merge_patch(types::deployments, deployment, std::move(patch));
    action.ref.subresource = "status";  // a write of the whole object would count as a new generation
    plan.add(std::move(action));
  }
  if (auto after = until_deadline(rollout, status)) plan.requeue(*after);
  if (rollout.stop) plan.requeue(0s);
}

}  // namespace
}  // namespace rollout

Plan reconcile_deployment(const Snapshot& snapshot, const ObjectKey& key, const Context& context) {
  using namespace rollout;
  Plan plan;
  const Value object = snapshot.get(types::deployments, key.ns, key.name);
  if (object.is_null()) return plan;
  auto selector = LabelSelector::from_object(object["spec"]["selector"]);
  if (!selector.ok()) return plan;  // validation lets none through
  if (selector.value().empty()) {
    plan.notes.push_back(Note{NoteType::warning, "SelectingAll",
                              "This deployment is selecting all pods. A non-empty selector is required.", {}});
    if (object["status"]["observedGeneration"].as_int() >= generation_of(object)) return Plan();
    Value status = object["status"].with("observedGeneration", generation_of(object));
    plan.add(update_status(types::deployments, object.with("status", status)));
    return plan;
  }

  Rollout rollout = look_at(snapshot, object, selector.value(), context, plan);
  if (is_deleting(object)) {
    finish(rollout, status_without_progress(rollout), plan);
    return plan;
  }
  sync_paused_condition(rollout);
  const bool paused = rollout.spec()["paused"].as_bool();
  if (paused || is_scaling_event(rollout)) {
    sync_current(rollout, snapshot, Missing::leave);
    scale(rollout);
    if (paused) remove_old_revisions(rollout);
    finish(rollout, status_without_progress(rollout), plan);
    return plan;
  }
  if (is_rolling_update(object)) {
    resize_for_rolling_update(rollout, snapshot);
  } else {
    resize_for_recreate(rollout, snapshot);
  }
  finish(rollout, status_with_progress(rollout), plan);
  return plan;
}

namespace {

void push_controller(const Value& object, std::vector<ObjectKey>& keys) {
  const Value& controller = controller_of(object);
  if (controller["kind"].as_string() == "Deployment")
    keys.push_back(ObjectKey{"", std::string(namespace_of(object)), std::string(controller["name"].as_string())});
}

void keys_of_replica_set(const Snapshot& snapshot, const Type&, const Value& old, const Value& now,
                 std::vector<ObjectKey>& keys) {
  push_controller(old, keys);
  push_controller(now, keys);
  if (now.is_null() || !controller_of(now).is_null()) return;
  for (const Value& object : snapshot.list(types::deployments, namespace_of(now))) {
    auto selector = LabelSelector::from_object(object["spec"]["selector"]);
    if (selector.ok() && selector.value().matches(labels_of(now))) keys.push_back(key_of(object));
  }
}

// Recreate waits for the last old pod to be gone; nothing else about pods matters here.
void keys_of_pod(const Snapshot& snapshot, const Type&, const Value& old, const Value& now,
                 std::vector<ObjectKey>& keys) {
  const bool ended = now.is_null() || (is_pod_finished(now) && !is_pod_finished(old));
  const Value& controller = controller_of(old);
  if (!ended || controller["kind"].as_string() != "ReplicaSet") return;
  const Value set = snapshot.get(types::replica_sets, namespace_of(old), controller["name"].as_string());
  if (!set.is_null()) push_controller(set, keys);
}

}  // namespace

Reconciler deployment_reconciler() {
  return Reconciler{"deployment-controller",
                    types::deployments,
                    {{types::deployments, own_key},
                     {types::replica_sets, keys_of_replica_set},
                     {types::pods, keys_of_pod}},
                    reconcile_deployment};
}

}  // namespace orch::plan
