// NodeUnschedulable: nodes with spec.unschedulable (kubectl cordon) take only pods that tolerate it.

#include "plan/sched/plugins.h"

namespace orch::plan::sched {

namespace {

Fit filter(const Cycle& cycle, const PluginState*, const NodeInfo& node, Reasons& reasons) {
  if (!node.unschedulable) return Fit::yes;
  const Taint cordon{std::string(unschedulable_taint), "", Effect::no_schedule};
  if (tolerates(cycle.pod.tolerations, cordon)) return Fit::yes;
  reasons.add("node(s) were unschedulable");
  return Fit::never;
}

}  // namespace

Plugin node_unschedulable_plugin() {
  Plugin plugin;
  plugin.name = "NodeUnschedulable";
  plugin.helped_by = event::node_added | event::node_taints;
  plugin.filter = filter;
  return plugin;
}

}  // namespace orch::plan::sched
