#pragma once
// Placer: finds the best node for one pod. Looks at nodes in turn, from where the last pod's search
// ended, until enough are found that fit; scores those; ties are broken by the Random.

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/random.h"
#include "plan/sched/plugins.h"

namespace orch::plan::sched {

struct Placement {
  const NodeInfo* node;
  size_t feasible;  // nodes that would have done, of those looked at
};

struct FitError {
  std::string message;  // kube-scheduler's
  PluginMask plugins = 0;  // that refused; 0: there are no nodes
};

using Decision = std::variant<Placement, FitError>;

class Placer {
 public:
  Decision place(const ClusterState& cluster, const PodInfo& pod, Random& random);

  // How many nodes that fit are enough, of `nodes`: all of up to 100, then 50 % falling to 5 %.
  static size_t enough_nodes(size_t nodes);

 private:
  struct Active {
    const Plugin* plugin;
    size_t bit;
    const PluginState* state;
  };
  struct Search;
  void prepare(const Cycle& cycle);
  void look_at(const Cycle& cycle, const NodeInfo& node, Search& search);
  void find_feasible(const Cycle& cycle, Search& search);
  void add_scores(const Cycle& cycle);
  const NodeInfo* pick(Random& random) const;

  size_t start_ = 0;
  // Of one cycle; kept to save allocations.
  std::vector<std::unique_ptr<PluginState>> states_;
  std::vector<Active> filters_, scorers_;
  std::vector<const NodeInfo*> feasible_;
  std::vector<int64_t> scores_, totals_;
};

}  // namespace orch::plan::sched
