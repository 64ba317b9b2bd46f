#pragma once
// The one table of plugins. A refusal is remembered as the set of plugins that refused: bit i is
// all_plugins()[i].

#include <span>

#include "plan/sched/plugin.h"

namespace orch::plan::sched {

using PluginMask = uint32_t;
inline constexpr PluginMask every_plugin = ~PluginMask{0};

std::span<const Plugin> all_plugins();
// Can one of the events undo a refusal by these plugins?
bool can_help(EventMask events, PluginMask plugins);

Plugin node_unschedulable_plugin();
Plugin node_name_plugin();
Plugin taint_toleration_plugin();
Plugin node_affinity_plugin();
Plugin node_ports_plugin();
Plugin node_resources_fit_plugin();
Plugin node_resources_balanced_plugin();

}  // namespace orch::plan::sched
