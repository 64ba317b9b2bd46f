#pragma once
// When most of a zone is down at once, the network (or we) are more likely at fault than the nodes:
// then nothing is evicted.

#include <string>

#include "plan/core/snapshot.h"

namespace orch::plan {

enum class Disruption : uint8_t {
  none,     // evict pods of nodes that are down
  partial,  // more than half of a zone is down: evict nothing (zones of up to 50 nodes)
  full,     // no node at all is ready
};

std::string zone_of(const Value& node);
Disruption disruption_around(const Snapshot& snapshot, const Value& node);

}  // namespace orch::plan
