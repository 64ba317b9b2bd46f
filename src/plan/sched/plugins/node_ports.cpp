// NodePorts: no two pods of a node have the same host port.

#include "plan/sched/plugins.h"

namespace orch::plan::sched {

namespace {

bool filters(const PodInfo& pod) { return !pod.host_ports.empty(); }

Fit filter(const Cycle& cycle, const PluginState*, const NodeInfo& node, Reasons& reasons) {
  for (const HostPort& wanted : cycle.pod.host_ports)
    for (const HostPort& used : node.used_ports)
      if (collide(wanted, used)) {
        reasons.add("node(s) didn't have free ports for the requested pod ports");
        return Fit::no;
      }
  return Fit::yes;
}

}  // namespace

Plugin node_ports_plugin() {
  Plugin plugin;
  plugin.name = "NodePorts";
  plugin.helped_by = event::node_added | event::pod_removed;
  plugin.filters = filters;
  plugin.filter = filter;
  return plugin;
}

}  // namespace orch::plan::sched
