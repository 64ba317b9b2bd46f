#pragma once
// ClusterState: the nodes and what is placed on each, kept up to date change by change. Placing a pod
// and taking it away costs O(1). A pod that is assumed (its binding is on the way) counts as placed.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "plan/sched/events.h"
#include "plan/sched/pod_info.h"

namespace orch::plan::sched {

struct NodeInfo {
  // What nearly every pod looks at comes first.
  bool present = false;  // false: only pods that name it are known yet
  bool unschedulable = false;
  int64_t allowed_pods = 0;
  int64_t scored_cpu_milli = 0;  // requested, with assumed minimums (resources.h)
  int64_t scored_memory = 0;
  Resources allocatable;
  Resources requested;
  std::vector<Taint> taints;
  std::vector<PodPtr> pods;
  std::vector<HostPort> used_ports;
  std::string name;
  Value labels;
  Value object;
};

class ClusterState {
 public:
  // What about the node could let a waiting pod fit now; 0: nothing.
  EventMask put_node(const Value& node);
  void remove_node(std::string_view name);

  // An assigned pod (`pod->node_name`), new or changed; ends its being assumed.
  EventMask put_pod(const PodPtr& pod);
  EventMask remove_pod(std::string_view uid);
  // `pod` shall run on `node`: counted from now on.
  void assume(const PodPtr& pod, const NodeInfo& node);
  // It will not, after all. Nothing happens where the pod is no longer only assumed.
  void forget(std::string_view uid);
  bool is_assumed(std::string_view uid) const;
  bool is_placed(std::string_view uid) const { return places_.count(std::string(uid)) > 0; }

  // The nodes there are, zones taking turns, so that any stretch of the list spans all zones.
  const std::vector<const NodeInfo*>& nodes() const;
  const NodeInfo* node(std::string_view name) const;  // null: there is none
  size_t placed_pods() const { return places_.size(); }

 private:
  struct Place {
    NodeInfo* node;
    size_t index;  // in node->pods
    bool assumed;
  };
  NodeInfo& node_at(const std::string& name);
  void place(const PodPtr& pod, NodeInfo& node, bool assumed);
  void take_away(std::unordered_map<std::string, Place>::iterator at);
  void drop_if_unused(NodeInfo& node);

  std::unordered_map<std::string, std::unique_ptr<NodeInfo>> by_name_;
  std::unordered_map<std::string, Place> places_;  // by uid
  mutable std::vector<const NodeInfo*> order_;
  mutable bool order_is_stale_ = false;
};

}  // namespace orch::plan::sched
