// NodeResourcesBalancedAllocation: better where cpu and memory are used to the same degree, so that
// neither is left over. Silent about pods that ask for neither.

#include <algorithm>
#include <cmath>

#include "plan/sched/plugins.h"

namespace orch::plan::sched {

namespace {

bool scores(const PodInfo& pod) { return pod.requests.exact.cpu_milli != 0 || pod.requests.exact.memory != 0; }

double share(int64_t requested, int64_t allocatable) {
  return std::min(1.0, static_cast<double>(requested) / static_cast<double>(allocatable));
}

int64_t score(const Cycle& cycle, const PluginState*, const NodeInfo& node) {
  const Resources& all = node.allocatable;
  if (all.cpu_milli <= 0 || all.memory <= 0) return 100;  // nothing to compare
  const Resources& wanted = cycle.pod.requests.exact;
  const double cpu = share(node.requested.cpu_milli + wanted.cpu_milli, all.cpu_milli);
  const double memory = share(node.requested.memory + wanted.memory, all.memory);
  // The standard deviation of two numbers is half their distance.
  return static_cast<int64_t>((1 - std::fabs(cpu - memory) / 2) * 100);
}

}  // namespace

Plugin node_resources_balanced_plugin() {
  Plugin plugin;
  plugin.name = "NodeResourcesBalancedAllocation";
  plugin.scores = scores;
  plugin.score = score;
  plugin.weight = 1;
  return plugin;
}

}  // namespace orch::plan::sched
