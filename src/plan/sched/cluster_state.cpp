#include "plan/sched/cluster_state.h"

#include <algorithm>
#include <map>

#include "base/check.h"
#include "data/quantity.h"
#include "plan/core/object.h"

namespace orch::plan::sched {

namespace {

std::string zone_of(const NodeInfo& node) {
  std::string zone(node.labels["topology.kubernetes.io/region"].as_string());
  zone += '/';
  zone += node.labels["topology.kubernetes.io/zone"].as_string();
  return zone;
}

void count(NodeInfo& node, const PodInfo& pod, int64_t sign) {
  if (sign > 0) {
    node.requested.add(pod.requests.exact);
  } else {
    node.requested.subtract(pod.requests.exact);
  }
  node.scored_cpu_milli += sign * pod.requests.scored_cpu_milli;
  node.scored_memory += sign * pod.requests.scored_memory;
}

}  // namespace

NodeInfo& ClusterState::node_at(const std::string& name) {
  std::unique_ptr<NodeInfo>& node = by_name_[name];
  if (!node) {
    node = std::make_unique<NodeInfo>();
    node->name = name;
  }
  return *node;
}

EventMask ClusterState::put_node(const Value& object) {
  NodeInfo& node = node_at(std::string(name_of(object)));
  EventMask events = node.present ? 0 : event::node_added;
  const Value& status = object["status"]["allocatable"];
  if (!node.present || !(node.object["status"]["allocatable"] == status)) {
    node.allocatable = parse_resources(status);
    node.allowed_pods = Quantity::from(status["pods"]).value();
    if (node.present) events |= event::node_allocatable;
  }
  std::vector<Taint> taints = parse_taints(object["spec"]["taints"]);
  const bool unschedulable = object["spec"]["unschedulable"].as_bool();
  if (node.present && (unschedulable != node.unschedulable || taints != node.taints)) events |= event::node_taints;
  node.taints = std::move(taints);
  node.unschedulable = unschedulable;
  const std::string old_zone = zone_of(node);
  if (node.present && !(node.labels == labels_of(object))) events |= event::node_labels;
  node.labels = labels_of(object);
  if (!node.present || zone_of(node) != old_zone) order_is_stale_ = true;
  node.object = object;
  node.present = true;
  return events;
}

void ClusterState::remove_node(std::string_view name) {
  auto at = by_name_.find(std::string(name));
  if (at == by_name_.end() || !at->second->present) return;
  NodeInfo& node = *at->second;
  // Its pods may still be told of: they stay counted until they are gone.
  node.present = false;
  node.object = Value();
  order_is_stale_ = true;
  drop_if_unused(node);
}

void ClusterState::drop_if_unused(NodeInfo& node) {
  if (!node.present && node.pods.empty()) by_name_.erase(std::string(node.name));
}

EventMask ClusterState::put_pod(const PodPtr& pod) {
  if (pod->finished) return remove_pod(pod->uid);
  EventMask events = event::pod_added;
  auto known = places_.find(pod->uid);
  NodeInfo* left = nullptr;
  if (known != places_.end()) {
    left = known->second.node;
    const PodInfo& old = *known->second.node->pods[known->second.index];
    if (known->second.node->name == pod->node_name) {
      const bool same = old.requests.exact == pod->requests.exact && labels_of(old.object) == labels_of(pod->object);
      events = same ? 0 : event::pod_changed;
    }
    take_away(known);
  }
  place(pod, node_at(pod->node_name), false);
  if (left) drop_if_unused(*left);
  return events;
}

EventMask ClusterState::remove_pod(std::string_view uid) {
  auto known = places_.find(std::string(uid));
  if (known == places_.end()) return 0;
  NodeInfo& node = *known->second.node;
  take_away(known);
  drop_if_unused(node);
  return event::pod_removed;
}

void ClusterState::assume(const PodPtr& pod, const NodeInfo& node) {
  ORCH_CHECK(!is_placed(pod->uid));
  place(pod, node_at(node.name), true);
}

void ClusterState::forget(std::string_view uid) {
  if (is_assumed(uid)) remove_pod(uid);
}

bool ClusterState::is_assumed(std::string_view uid) const {
  auto known = places_.find(std::string(uid));
  return known != places_.end() && known->second.assumed;
}

void ClusterState::place(const PodPtr& pod, NodeInfo& node, bool assumed) {
  places_[pod->uid] = Place{&node, node.pods.size(), assumed};
  node.pods.push_back(pod);
  node.used_ports.insert(node.used_ports.end(), pod->host_ports.begin(), pod->host_ports.end());
  count(node, *pod, 1);
}

void ClusterState::take_away(std::unordered_map<std::string, Place>::iterator at) {
  NodeInfo& node = *at->second.node;
  const size_t index = at->second.index;
  PodPtr pod = std::move(node.pods[index]);
  if (index + 1 != node.pods.size()) {
    node.pods[index] = std::move(node.pods.back());
    places_.at(node.pods[index]->uid).index = index;
  }
  node.pods.pop_back();
  for (const HostPort& port : pod->host_ports) {
    auto used = std::find(node.used_ports.begin(), node.used_ports.end(), port);
    if (used != node.used_ports.end()) node.used_ports.erase(used);
  }
  count(node, *pod, -1);
  places_.erase(at);
}

const std::vector<const NodeInfo*>& ClusterState::nodes() const {
  if (!order_is_stale_) return order_;
  order_is_stale_ = false;
  std::map<std::string, std::vector<const NodeInfo*>> zones;
  size_t longest = 0;
  for (const auto& [name, node] : by_name_)
    if (node->present) zones[zone_of(*node)].push_back(node.get());
  for (auto& [zone, nodes] : zones) {
    std::sort(nodes.begin(), nodes.end(), [](const NodeInfo* a, const NodeInfo* b) { return a->name < b->name; });
    longest = std::max(longest, nodes.size());
  }
  order_.clear();
  for (size_t turn = 0; turn < longest; ++turn)
    for (auto& [zone, nodes] : zones)
      if (turn < nodes.size()) order_.push_back(nodes[turn]);
  return order_;
}

const NodeInfo* ClusterState::node(std::string_view name) const {
  auto at = by_name_.find(std::string(name));
  return at == by_name_.end() || !at->second->present ? nullptr : at->second.get();
}

}  // namespace orch::plan::sched
