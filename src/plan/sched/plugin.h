#pragma once
// What a scheduler plugin is: a few pure functions and the facts that the machinery needs about them.
// docs/: src/plan/sched/README.md says how to add one.
//
// A cycle is one pod looking for one node. `prepare` runs once a cycle, before any node is looked at;
// what it returns is handed to the plugin's other functions (topology spread will count its domains
// there). Filters run in the order of the table and stop at the first refusal of a node.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan/sched/cluster_state.h"
#include "plan/sched/events.h"
#include "plan/sched/pod_info.h"

namespace orch::plan::sched {

struct Cycle {
  const ClusterState& cluster;
  const PodInfo& pod;
};

struct PluginState {
  virtual ~PluginState() = default;
};

enum class Fit : uint8_t {
  yes,
  no,     // other pods are in the way
  never,  // and it would not fit without them either
};

// The reasons why nodes were refused, counted.
class Reasons {
 public:
  void add(std::string_view reason, size_t nodes = 1);
  // "1 Insufficient cpu, 2 node(s) were unschedulable": sorted as texts.
  std::string format() const;
  bool empty() const { return counts_.empty(); }

 private:
  std::map<std::string, size_t, std::less<>> counts_;
};

enum class Normalize : uint8_t {
  none,      // scores are 0..100
  highest,   // the highest becomes 100, the others in proportion
  reversed,  // likewise, then 100 minus that: the lowest is best
};

struct Plugin {
  std::string_view name;
  EventMask helped_by = 0;  // what can undo a refusal

  std::unique_ptr<PluginState> (*prepare)(const Cycle& cycle) = nullptr;

  // Is there anything to filter for this pod? null: always.
  bool (*filters)(const PodInfo& pod) = nullptr;
  Fit (*filter)(const Cycle& cycle, const PluginState* state, const NodeInfo& node, Reasons& reasons) = nullptr;
  // The only nodes worth a look; nullopt: all.
  std::optional<std::vector<std::string>> (*narrow)(const PodInfo& pod) = nullptr;

  bool (*scores)(const PodInfo& pod) = nullptr;  // null: always
  int64_t (*score)(const Cycle& cycle, const PluginState* state, const NodeInfo& node) = nullptr;
  Normalize normalize = Normalize::none;
  int64_t weight = 0;
};

}  // namespace orch::plan::sched
