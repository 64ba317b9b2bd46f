#include "plan/sched/plugins.h"

namespace orch::plan::sched {

std::span<const Plugin> all_plugins() {
  // Filters run in this order: cheap ones first, and as kube-scheduler's, since it decides which of
  // several reasons a node is counted under.
  static const std::vector<Plugin> table = {
      node_unschedulable_plugin(),
      node_name_plugin(),
      taint_toleration_plugin(),
      node_affinity_plugin(),
      node_ports_plugin(),
      node_resources_fit_plugin(),
      node_resources_balanced_plugin(),
  };
  return table;
}

bool can_help(EventMask events, PluginMask plugins) {
  // A refusal without a plugin (there were no nodes at all) ends with the first node.
  if (plugins == 0) return (events & event::node_added) != 0;
  for (size_t i = 0; i < all_plugins().size(); ++i)
    if ((plugins >> i & 1) != 0 && (all_plugins()[i].helped_by & events) != 0) return true;
  return false;
}

}  // namespace orch::plan::sched
