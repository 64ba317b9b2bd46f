#include "plan/gc/pod_collector.h"

#include <algorithm>

#include "plan/core/index.h"
#include "plan/core/object.h"
#include "plan/core/pod.h"
#include "plan/core/status.h"

namespace orch::plan {

namespace {

constexpr std::string_view out_of_service = "node.kubernetes.io/out-of-service";

Action remove_now(const Value& pod) {
  Action action = remove(types::pods, pod);
  action.grace_seconds = 0;
  return action;
}

bool is_out_of_service(const Value& node) {
  if (find_condition(node["status"]["conditions"], "Ready")["status"].as_string() == "True") return false;
  for (const Value& taint : node["spec"]["taints"].items())
    if (taint["key"].as_string() == out_of_service) return true;
  return false;
}

// Says in the pod's status that it did not end by itself, then removes it.
void plan_removal(const Value& pod, std::string_view message, const std::vector<Guard>& guards, Instant now, Plan& plan) {
  if (!is_pod_finished(pod)) {
    Value conditions = set_condition(pod["status"]["conditions"],
                                     make_condition("DisruptionTarget", "True", "DeletionByPodGC", message, now));
    Value status = pod["status"].with("phase", "Failed").with("conditions", conditions);
    Action action = update_status(types::pods, pod.with("status", status));
    action.guards = guards;
    plan.add(std::move(action));
  }
  Action action = remove_now(pod);
  action.guards = guards;
  plan.add(std::move(action));
}

}  // namespace

Plan collect_finished_pods(const Snapshot& snapshot, size_t limit) {
  Plan plan;
  std::vector<Value> finished;
  for (Value& pod : snapshot.list(types::pods, ""))
    if (is_pod_finished(pod)) finished.push_back(std::move(pod));
  if (finished.size() <= limit) return plan;
  std::sort(finished.begin(), finished.end(), is_older);
  for (size_t i = 0; i < finished.size() - limit; ++i) {
    Action action = remove_now(finished[i]);
    action.batch = 1;
    plan.add(std::move(action));
  }
  return plan;
}

Plan reconcile_lost_pod(const Snapshot& snapshot, const ObjectKey& key, const Context& context) {
  if (key.name.empty()) return collect_finished_pods(snapshot, finished_pods_limit);
  Plan plan;
  const Value pod = snapshot.get(types::pods, key.ns, key.name);
  if (pod.is_null()) return plan;
  std::string_view node_name = pod["spec"]["nodeName"].as_string();
  if (node_name.empty()) {
    if (is_deleting(pod)) plan_removal(pod, "PodGC: unscheduled and terminating", {}, context.now, plan);
    return plan;
  }
  const Value node = snapshot.get(types::nodes, "", node_name);
  if (node.is_null()) {
    const Duration absent = context.waiting_since ? context.mono - *context.waiting_since : Duration{};
    if (absent < lost_node_quarantine) {
      plan.requeue(lost_node_quarantine - absent);
      return plan;
    }
    Guard guard{Guard::Condition::absent, ref_to(types::nodes, "", node_name), {}};
    plan_removal(pod, "PodGC: node no longer exists", {guard}, context.now, plan);
  } else if (is_deleting(pod) && is_out_of_service(node)) {
    plan_removal(pod, "PodGC: node is out of service", {}, context.now, plan);
  }
  return plan;
}

namespace {

void keys_of_pod(const Snapshot&, const Type&, const Value& old, const Value& now, std::vector<ObjectKey>& keys) {
  if (now.is_null()) return;
  keys.push_back(key_of(now));
  if (is_pod_finished(now) && !is_pod_finished(old)) keys.push_back(ObjectKey{});
}

void keys_of_node(const Snapshot& snapshot, const Type&, const Value& old, const Value& now,
                  std::vector<ObjectKey>& keys) {
  // A node that comes (back) ends the quarantine of its pods.
  if (!now.is_null() && !old.is_null() && !is_out_of_service(now)) return;
  for (const Value& pod : snapshot.indexed(types::pods, index::node, name_of(now.is_null() ? old : now)))
    keys.push_back(key_of(pod));
}

}  // namespace

Reconciler pod_collector() {
  return Reconciler{"pod-garbage-collector",
                    types::pods,
                    {{types::pods, keys_of_pod}, {types::nodes, keys_of_node}},
                    reconcile_lost_pod};
}

}  // namespace orch::plan
