#include "plan/nodes/node_health.h"

#include <algorithm>

#include "plan/core/index.h"
#include "plan/core/object.h"
#include "plan/core/pod.h"
#include "plan/core/status.h"
#include "plan/nodes/disruption.h"

namespace orch::plan {

namespace {

constexpr std::string_view lease_namespace = "kube-node-lease";
constexpr std::string_view not_ready = not_ready_taint;
constexpr std::string_view unreachable = unreachable_taint;

// Taints with effect NoSchedule that follow from a condition (or, without a type, from spec.unschedulable).
struct TaintRule {
  std::string_view condition, status, key;
};
constexpr TaintRule taint_rules[] = {
    {"Ready", "False", not_ready},
    {"Ready", "Unknown", unreachable},
    {"MemoryPressure", "True", "node.kubernetes.io/memory-pressure"},
    {"DiskPressure", "True", "node.kubernetes.io/disk-pressure"},
    {"NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"},
    {"PIDPressure", "True", "node.kubernetes.io/pid-pressure"},
    {"", "", "node.kubernetes.io/unschedulable"},
};
constexpr std::string_view watched_conditions[] = {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"};

std::string_view status_of(const Value& node, std::string_view condition) {
  return find_condition(node["status"]["conditions"], condition)["status"].as_string();
}

// --- conditions

Value unknown_condition(const Value& node, std::string_view type, Instant now) {
  const Value& current = find_condition(node["status"]["conditions"], type);
  ObjectBuilder condition(current.is_object() ? current : Value::empty_object());
  condition.set("type", Value(type));
  condition.set("status", "Unknown");
  const bool never = current.is_null();
  condition.set("reason", never ? "NodeStatusNeverUpdated" : "NodeStatusUnknown");
  condition.set("message", never ? "Kubelet never posted node status." : "Kubelet stopped posting node status.");
  if (never) condition.set("lastHeartbeatTime", metadata(node)["creationTimestamp"]);
  condition.set("lastTransitionTime", format_time(now));
  return std::move(condition).build();
}

// Changed conditions stay where they are in the list.
Value unknown_conditions(const Value& node, Instant now) {
  Value conditions = node["status"]["conditions"];
  for (std::string_view type : watched_conditions) {
    if (status_of(node, type) == "Unknown") continue;
    Value condition = unknown_condition(node, type, now);
    size_t i = 0;
    while (i < conditions.size() && conditions.at(i)["type"].as_string() != type) ++i;
    conditions = i < conditions.size() ? conditions.with_item(i, condition) : conditions.appended(condition);
  }
  return conditions;
}

// The last sign of life this process saw.
Mono last_sign(const Snapshot& snapshot, const Value& node) {
  auto lease = snapshot.seen_at(types::leases, lease_namespace, name_of(node));
  if (lease) return *lease;
  return snapshot.seen_at(types::nodes, "", name_of(node)).value_or(Mono{});
}

// --- taints

bool has_taint(const Value& taints, std::string_view key, std::string_view effect) {
  for (const Value& taint : taints.items())
    if (taint["key"].as_string() == key && taint["effect"].as_string() == effect) return true;
  return false;
}

Value without_taint(const Value& taints, std::string_view key, std::string_view effect) {
  std::vector<Value> kept;
  for (const Value& taint : taints.items())
    if (taint["key"].as_string() != key || taint["effect"].as_string() != effect) kept.push_back(taint);
  return Value::list(std::move(kept));
}

Value with_schedule_taints(const Value& node, Value taints) {
  for (const TaintRule& rule : taint_rules) {
    const bool wanted = rule.condition.empty() ? node["spec"]["unschedulable"].as_bool()
                                               : status_of(node, rule.condition) == rule.status;
    if (wanted == has_taint(taints, rule.key, "NoSchedule")) continue;
    taints = wanted ? taints.appended(Value::object({{"key", rule.key}, {"effect", "NoSchedule"}}))
                    : without_taint(taints, rule.key, "NoSchedule");
  }
  return taints;
}

// At most one of the two, for the state the node is in; none where nothing shall be evicted. A node that
// has one already changes it at once, a new one waits for its turn.
Value with_execute_taint(const Snapshot& snapshot, const Value& node, Value taints, Instant now, Plan& plan) {
  std::string_view ready = status_of(node, "Ready");
  std::string_view wanted = ready == "False" ? not_ready : ready == "Unknown" ? unreachable : "";
  if (!wanted.empty() && disruption_around(snapshot, node) == Disruption::full) wanted = "";
  bool is_given_up = false;
  for (std::string_view key : {not_ready, unreachable}) {
    if (!has_taint(taints, key, "NoExecute")) continue;
    is_given_up = true;
    if (key != wanted) taints = without_taint(taints, key, "NoExecute");
  }
  if (wanted.empty() || has_taint(taints, wanted, "NoExecute")) return taints;
  if (!is_given_up) {
    auto wait = time_until_eviction(snapshot, node, now);
    if (wait && *wait > Duration{}) plan.requeue(*wait);
    if (!wait || *wait > Duration{}) return taints;
  }
  return taints.appended(Value::object({{"key", wanted}, {"effect", "NoExecute"}, {"timeAdded", format_time(now)}}));
}

void plan_taints(const Snapshot& snapshot, const Value& node, Instant now, Plan& plan) {
  // A write of the status before us has moved the resourceVersion: its change brings the key back.
  if (!plan.actions.empty()) return;
  const Value& taints = node["spec"]["taints"];
  Value wanted = with_execute_taint(snapshot, node, with_schedule_taints(node, taints), now, plan);
  if (wanted == taints || (wanted.empty() && taints.empty())) return;
  plan.add(update(types::nodes, node.with_path({"spec", "taints"},
                                               wanted.empty() ? std::nullopt : std::optional(wanted))));
}

// --- pods

void plan_pods_not_ready(const Snapshot& snapshot, const Value& node, Instant now, Plan& plan) {
  for (const Value& pod : snapshot.indexed(types::pods, index::node, name_of(node))) {
    const Value& conditions = pod["status"]["conditions"];
    if (!is_pod_ready(pod)) continue;
    std::vector<Value> changed;
    for (const Value& condition : conditions.items())
      changed.push_back(condition["type"].as_string() == "Ready"
                            ? condition.with("status", "False").with("lastTransitionTime", format_time(now))
                            : condition);
    Action action = update_status(types::pods, pod.with_path({"status", "conditions"}, Value::list(changed)));
    action.batch = 1;
    Value about = Value::object({{"apiVersion", "v1"},
                                 {"kind", "Pod"},
                                 {"namespace", namespace_of(pod)},
                                 {"name", name_of(pod)},
                                 {"uid", uid_of(pod)}});
    action.on_success.push_back(Note{NoteType::warning, "NodeNotReady", "Node is not ready", std::move(about)});
    plan.add(std::move(action));
  }
}

}  // namespace

Plan reconcile_node(const Snapshot& snapshot, const ObjectKey& key, const Context& context) {
  Plan plan;
  Value node = snapshot.get(types::nodes, "", key.name);
  if (node.is_null()) return plan;

  const bool reported = !status_of(node, "Ready").empty();
  const Duration silence = context.mono - last_sign(snapshot, node), grace = reported ? node_grace : node_start_grace;
  if (silence > grace) {
    Value conditions = unknown_conditions(node, context.now);
    if (conditions != node["status"]["conditions"]) {
      const bool was_ready = status_of(node, "Ready") == "True";
      node = node.with_path({"status", "conditions"}, conditions);
      Action action = update_status(types::nodes, node);
      if (was_ready)
        action.on_success.push_back(Note{NoteType::normal, "NodeNotReady",
                                         "Node " + key.name + " status is now: NodeNotReady", {}});
      plan.add(std::move(action));
    }
  } else {
    plan.requeue(grace - silence + 1ms);
  }

  plan_taints(snapshot, node, context.now, plan);
  std::string_view ready = status_of(node, "Ready");
  if (ready == "False" || ready == "Unknown") plan_pods_not_ready(snapshot, node, context.now, plan);
  return plan;
}

namespace {

void keys_of_lease(const Snapshot& snapshot, const Type&, const Value& old, const Value& now,
                   std::vector<ObjectKey>& keys) {
  // A renewal says nothing new: the key comes back by itself when the grace is over.
  if (!old.is_null() && !now.is_null()) return;
  const Value& lease = now.is_null() ? old : now;
  if (namespace_of(lease) != lease_namespace) return;
  if (!snapshot.get(types::nodes, "", name_of(lease)).is_null())
    keys.push_back(ObjectKey{"", "", std::string(name_of(lease))});
}

// The readiness of one node decides whether others' pods are evicted.
void keys_of_node(const Snapshot& snapshot, const Type&, const Value& old, const Value& now,
                  std::vector<ObjectKey>& keys) {
  if (!now.is_null()) keys.push_back(key_of(now));
  if (status_of(old, "Ready") == status_of(now, "Ready")) return;
  for (const Value& other : snapshot.list(types::nodes, ""))
    if (status_of(other, "Ready") != "True") keys.push_back(key_of(other));
}

void keys_of_pod(const Snapshot& snapshot, const Type&, const Value& old, const Value& now,
                 std::vector<ObjectKey>& keys) {
  if (now.is_null() || !is_pod_ready(now) || is_pod_ready(old)) return;
  std::string node_name(now["spec"]["nodeName"].as_string());
  const Value node = snapshot.get(types::nodes, "", node_name);
  if (!node.is_null() && status_of(node, "Ready") != "True") keys.push_back(ObjectKey{"", "", node_name});
}

}  // namespace

Reconciler node_reconciler() {
  return Reconciler{"node-controller",
                    types::nodes,
                    {{types::nodes, keys_of_node}, {types::leases, keys_of_lease}, {types::pods, keys_of_pod}},
                    reconcile_node};
}

}  // namespace orch::plan
