#pragma once
// How fast pods may be evicted from nodes that are down. When most of a zone is down at once, the
// network (or we) are more likely at fault than the nodes: then slowly, or not at all.
// The numbers are kube-controller-manager's defaults: --node-eviction-rate 0.1, --secondary-node-eviction-rate
// 0.01, --unhealthy-zone-threshold 0.55, --large-cluster-size-threshold 50.

#include <optional>
#include <string>

#include "plan/core/snapshot.h"

namespace orch::plan {

inline constexpr std::string_view not_ready_taint = "node.kubernetes.io/not-ready";
inline constexpr std::string_view unreachable_taint = "node.kubernetes.io/unreachable";

enum class Disruption : uint8_t {
  none,     // a node in ten seconds (also where a zone is down as a whole, but another one is up)
  partial,  // 55 % of a zone are down: a node in 100 seconds, in zones of up to 50 nodes none
  full,     // no node at all is ready: none
};

inline constexpr Duration eviction_interval = 10s;
inline constexpr Duration secondary_eviction_interval = 100s;

std::string zone_of(const Value& node);
Disruption disruption_around(const Snapshot& snapshot, const Value& node);

// How long until a node that is down may get its NoExecute taint; zero: now. nullopt: not as things are.
// Of a zone's nodes the one goes first that has been down longest. When the last one went is read off
// the taints themselves, so that it outlives a restart.
std::optional<Duration> time_until_eviction(const Snapshot& snapshot, const Value& node, Instant now);

}  // namespace orch::plan
