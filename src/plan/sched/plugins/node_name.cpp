// NodeName: a pod that names its node fits nowhere else. (Such pods need no scheduler at all; they get
// here only where somebody asks what would fit.)

#include "plan/sched/plugins.h"

namespace orch::plan::sched {

namespace {

bool filters(const PodInfo& pod) { return !pod.node_name.empty(); }

Fit filter(const Cycle& cycle, const PluginState*, const NodeInfo& node, Reasons& reasons) {
  if (cycle.pod.node_name == node.name) return Fit::yes;
  reasons.add("node(s) didn't match the requested node name");
  return Fit::never;
}

}  // namespace

Plugin node_name_plugin() {
  Plugin plugin;
  plugin.name = "NodeName";
  plugin.helped_by = event::node_added;
  plugin.filters = filters;
  plugin.filter = filter;
  return plugin;
}

}  // namespace orch::plan::sched
