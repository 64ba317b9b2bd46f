// NodeResourcesFit: a node has room for what the pod asks for; emptier nodes are better (LeastAllocated).

#include "plan/sched/plugins.h"

namespace orch::plan::sched {

namespace {

Fit filter(const Cycle& cycle, const PluginState*, const NodeInfo& node, Reasons& reasons) {
  Fit fit = Fit::yes;
  auto refuse = [&](std::string_view reason) {
    reasons.add(reason);
    fit = Fit::no;
  };
  if (static_cast<int64_t>(node.pods.size()) + 1 > node.allowed_pods) refuse("Too many pods");
  const Resources& wanted = cycle.pod.requests.exact;
  const Resources& all = node.allocatable;
  const Resources& used = node.requested;
  if (wanted.cpu_milli > 0 && wanted.cpu_milli > all.cpu_milli - used.cpu_milli) refuse("Insufficient cpu");
  if (wanted.memory > 0 && wanted.memory > all.memory - used.memory) refuse("Insufficient memory");
  if (wanted.ephemeral_storage > 0 && wanted.ephemeral_storage > all.ephemeral_storage - used.ephemeral_storage)
    refuse("Insufficient ephemeral-storage");
  for (const Scalar& scalar : wanted.scalars)
    if (scalar.amount > 0 && scalar.amount > all.scalar(scalar.name) - used.scalar(scalar.name))
      refuse("Insufficient " + scalar.name);
  return fit;
}

// Per cent that stay free.
int64_t free_share(int64_t requested, int64_t allocatable) {
  if (requested > allocatable) return 0;
  // An allocatable that nobody has (92 PB) must not overflow.
  if (allocatable > INT64_MAX / 100) return (allocatable - requested) / (allocatable / 100);
  return (allocatable - requested) * 100 / allocatable;
}

int64_t score(const Cycle& cycle, const PluginState*, const NodeInfo& node) {
  int64_t sum = 0, resources = 0;
  if (node.allocatable.cpu_milli > 0) {
    sum += free_share(node.scored_cpu_milli + cycle.pod.requests.scored_cpu_milli, node.allocatable.cpu_milli);
    ++resources;
  }
  if (node.allocatable.memory > 0) {
    sum += free_share(node.scored_memory + cycle.pod.requests.scored_memory, node.allocatable.memory);
    ++resources;
  }
  return resources == 0 ? 0 : sum / resources;
}

}  // namespace

Plugin node_resources_fit_plugin() {
  Plugin plugin;
  plugin.name = "NodeResourcesFit";
  plugin.helped_by = event::node_added | event::node_allocatable | event::pod_removed | event::pod_changed;
  plugin.filter = filter;
  plugin.score = score;
  plugin.weight = 1;
  return plugin;
}

}  // namespace orch::plan::sched
