#include "plan/nodes/taint_eviction.h"

#include <algorithm>

#include "plan/core/index.h"
#include "plan/core/object.h"
#include "plan/core/pod.h"
#include "plan/core/status.h"

namespace orch::plan {

namespace {

// https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
bool tolerates(const Value& toleration, const Value& taint) {
  std::string_view effect = toleration["effect"].as_string(), key = toleration["key"].as_string();
  if (!effect.empty() && effect != taint["effect"].as_string()) return false;
  if (!key.empty() && key != taint["key"].as_string()) return false;
  std::string_view op = toleration["operator"].as_string("Equal");
  if (op == "Exists") return true;
  return op == "Equal" && !key.empty() && toleration["value"].as_string() == taint["value"].as_string();
}

}  // namespace

std::optional<Instant> eviction_time(const Value& pod, const Value& node) {
  std::optional<Instant> earliest;
  for (const Value& taint : node["spec"]["taints"].items()) {
    if (taint["effect"].as_string() != "NoExecute") continue;
    const Instant since = time_of(taint["timeAdded"]).value_or(Instant{});
    bool tolerated = false;
    for (const Value& toleration : pod["spec"]["tolerations"].items()) {
      if (!tolerates(toleration, taint)) continue;
      tolerated = true;
      const Value& seconds = toleration["tolerationSeconds"];
      if (!seconds.is_int()) break;
      const Instant until = since + std::chrono::seconds(std::max<int64_t>(seconds.as_int(), 0));
      earliest = earliest ? std::min(*earliest, until) : until;
      break;
    }
    if (!tolerated) return Instant{};
  }
  return earliest;
}

Plan reconcile_eviction(const Snapshot& snapshot, const ObjectKey& key, const Context& context) {
  Plan plan;
  const Value pod = snapshot.get(types::pods, key.ns, key.name);
  if (pod.is_null() || is_deleting(pod) || is_pod_finished(pod)) return plan;
  const Value node = snapshot.get(types::nodes, "", pod["spec"]["nodeName"].as_string());
  if (node.is_null()) return plan;
  auto at = eviction_time(pod, node);
  if (!at) return plan;
  if (*at > context.now) {
    plan.requeue(*at - context.now);
    return plan;
  }
  Value conditions = set_condition(pod["status"]["conditions"],
                                   make_condition("DisruptionTarget", "True", "DeletionByTaintManager",
                                                  "Taint manager: deleting due to NoExecute taint", context.now));
  plan.add(update_status(types::pods, pod.with_path({"status", "conditions"}, conditions)));
  Action action = remove(types::pods, pod);
  action.on_success.push_back(
      Note{NoteType::normal, "TaintManagerEviction", "Marking for deletion Pod " + key.ns + "/" + key.name, {}});
  plan.add(std::move(action));
  return plan;
}

namespace {

void keys_of_pod(const Snapshot&, const Type&, const Value& old, const Value& now, std::vector<ObjectKey>& keys) {
  if (now.is_null() || is_deleting(now)) return;
  const Value& before = old["spec"];
  const Value& after = now["spec"];
  if (old.is_null() || before["nodeName"] != after["nodeName"] || before["tolerations"] != after["tolerations"])
    keys.push_back(key_of(now));
}

void keys_of_node(const Snapshot& snapshot, const Type&, const Value& old, const Value& now,
                  std::vector<ObjectKey>& keys) {
  if (now.is_null() || old["spec"]["taints"] == now["spec"]["taints"]) return;
  for (const Value& pod : snapshot.indexed(types::pods, index::node, name_of(now))) keys.push_back(key_of(pod));
}

}  // namespace

Reconciler taint_eviction_reconciler() {
  return Reconciler{"taint-eviction-controller",
                    types::pods,
                    {{types::pods, keys_of_pod}, {types::nodes, keys_of_node}},
                    reconcile_eviction};
}

}  // namespace orch::plan
