// TaintToleration: taints NoSchedule and NoExecute keep pods away that do not tolerate them;
// PreferNoSchedule only makes a node less liked.

#include "plan/sched/plugins.h"

namespace orch::plan::sched {

namespace {

Fit filter(const Cycle& cycle, const PluginState*, const NodeInfo& node, Reasons& reasons) {
  for (const Taint& taint : node.taints) {
    if (taint.effect != Effect::no_schedule && taint.effect != Effect::no_execute) continue;
    if (tolerates(cycle.pod.tolerations, taint)) continue;
    reasons.add("node(s) had untolerated taint {" + taint.key + ": " + taint.value + "}");
    return Fit::never;
  }
  return Fit::yes;
}

int64_t score(const Cycle& cycle, const PluginState*, const NodeInfo& node) {
  int64_t untolerated = 0;
  for (const Taint& taint : node.taints)
    untolerated += taint.effect == Effect::prefer_no_schedule && !tolerates(cycle.pod.tolerations, taint);
  return untolerated;
}

}  // namespace

Plugin taint_toleration_plugin() {
  Plugin plugin;
  plugin.name = "TaintToleration";
  plugin.helped_by = event::node_added | event::node_taints;
  plugin.filter = filter;
  plugin.score = score;
  plugin.normalize = Normalize::reversed;
  plugin.weight = 3;
  return plugin;
}

}  // namespace orch::plan::sched
