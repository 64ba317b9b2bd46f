#include "plan/nodes/disruption.h"

#include "plan/core/object.h"
#include "plan/core/status.h"

namespace orch::plan {

namespace {

constexpr double unhealthy_share = 0.55;
constexpr int64_t small_zone = 50;

bool is_ready(const Value& node) {
  return find_condition(node["status"]["conditions"], "Ready")["status"].as_string() == "True";
}

}  // namespace

std::string zone_of(const Value& node) {
  const Value& labels = labels_of(node);
  return std::string(labels["topology.kubernetes.io/region"].as_string()) + ":" +
         std::string(labels["topology.kubernetes.io/zone"].as_string());
}

Disruption disruption_around(const Snapshot& snapshot, const Value& node) {
  const std::string zone = zone_of(node);
  int64_t ready_anywhere = 0, ready = 0, down = 0;
  for (const Value& other : snapshot.list(types::nodes, "")) {
    const bool is_up = is_ready(other);
    ready_anywhere += is_up;
    if (zone_of(other) == zone) ++(is_up ? ready : down);
  }
  if (ready_anywhere == 0) return Disruption::full;
  const bool mostly_down = down > 2 && static_cast<double>(down) / static_cast<double>(ready + down) >= unhealthy_share;
  return mostly_down && ready > 0 && ready + down <= small_zone ? Disruption::partial : Disruption::none;
}

}  // namespace orch::plan
