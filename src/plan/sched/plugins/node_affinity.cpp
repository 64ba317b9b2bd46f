// NodeAffinity: nodeSelector and the terms of spec.affinity.nodeAffinity.

#include "plan/sched/plugins.h"

namespace orch::plan::sched {

namespace {

bool filters(const PodInfo& pod) { return !pod.wishes.demands_nothing(); }

Fit filter(const Cycle& cycle, const PluginState*, const NodeInfo& node, Reasons& reasons) {
  if (cycle.pod.wishes.matches(node.name, node.labels)) return Fit::yes;
  reasons.add("node(s) didn't match Pod's node affinity/selector");
  return Fit::never;
}

std::optional<std::vector<std::string>> narrow(const PodInfo& pod) { return pod.wishes.only_nodes(); }

bool scores(const PodInfo& pod) { return !pod.wishes.preferred.empty(); }

int64_t score(const Cycle& cycle, const PluginState*, const NodeInfo& node) {
  int64_t sum = 0;
  for (const PreferredTerm& preferred : cycle.pod.wishes.preferred)
    if (preferred.term.matches(node.name, node.labels)) sum += preferred.weight;
  return sum;
}

}  // namespace

Plugin node_affinity_plugin() {
  Plugin plugin;
  plugin.name = "NodeAffinity";
  plugin.helped_by = event::node_added | event::node_labels;
  plugin.filters = filters;
  plugin.filter = filter;
  plugin.narrow = narrow;
  plugin.scores = scores;
  plugin.score = score;
  plugin.normalize = Normalize::highest;
  plugin.weight = 2;
  return plugin;
}

}  // namespace orch::plan::sched
