#include "plan/nodes/disruption.h"

#include <algorithm>

#include "plan/core/object.h"
#include "plan/core/status.h"

namespace orch::plan {

namespace {

constexpr double unhealthy_share = 0.55;
constexpr int64_t small_zone = 50;

const Value& ready_condition(const Value& node) { return find_condition(node["status"]["conditions"], "Ready"); }
bool is_ready(const Value& node) { return ready_condition(node)["status"].as_string() == "True"; }

struct Zone {
  std::vector<Value> nodes;
  int64_t ready = 0, ready_anywhere = 0;

  int64_t size() const { return static_cast<int64_t>(nodes.size()); }
  int64_t down() const { return size() - ready; }
  Disruption disruption() const {
    if (ready_anywhere == 0) return Disruption::full;
    const bool mostly_down = down() > 2 && static_cast<double>(down()) / static_cast<double>(size()) >= unhealthy_share;
    return mostly_down && ready > 0 ? Disruption::partial : Disruption::none;
  }
  std::optional<Duration> interval() const {
    switch (disruption()) {
      case Disruption::none: return eviction_interval;
      case Disruption::partial: return size() > small_zone ? std::optional(secondary_eviction_interval) : std::nullopt;
      case Disruption::full: break;
    }
    return std::nullopt;
  }
};

Zone zone_around(const Snapshot& snapshot, const Value& node) {
  const std::string name = zone_of(node);
  Zone zone;
  for (Value& other : snapshot.list(types::nodes, "")) {
    const bool is_up = is_ready(other);
    zone.ready_anywhere += is_up;
    if (zone_of(other) != name) continue;
    zone.ready += is_up;
    zone.nodes.push_back(std::move(other));
  }
  return zone;
}

// When the node was given up; nullopt: it was not.
std::optional<Instant> given_up_at(const Value& node) {
  for (const Value& taint : node["spec"]["taints"].items()) {
    std::string_view key = taint["key"].as_string();
    if (taint["effect"].as_string() == "NoExecute" && (key == not_ready_taint || key == unreachable_taint))
      return time_of(taint["timeAdded"]).value_or(Instant{});
  }
  return std::nullopt;
}

// Down, and next to be given up: the longer down the earlier.
bool waits_longer(const Value& a, const Value& b) {
  const Instant a_since = time_of(ready_condition(a)["lastTransitionTime"]).value_or(Instant{});
  const Instant b_since = time_of(ready_condition(b)["lastTransitionTime"]).value_or(Instant{});
  return a_since != b_since ? a_since < b_since : name_of(a) < name_of(b);
}

}  // namespace

std::string zone_of(const Value& node) {
  const Value& labels = labels_of(node);
  return std::string(labels["topology.kubernetes.io/region"].as_string()) + ":" +
         std::string(labels["topology.kubernetes.io/zone"].as_string());
}

Disruption disruption_around(const Snapshot& snapshot, const Value& node) {
  return zone_around(snapshot, node).disruption();
}

std::optional<Duration> time_until_eviction(const Snapshot& snapshot, const Value& node, Instant now) {
  const Zone zone = zone_around(snapshot, node);
  const auto interval = zone.interval();
  if (!interval) return std::nullopt;
  std::optional<Instant> last;
  int64_t before = 0;
  for (const Value& other : zone.nodes) {
    if (auto at = given_up_at(other)) {
      // What lies in the future is from before the clock was set back.
      if (*at <= now) last = last ? std::max(*last, *at) : *at;
    } else if (!ready_condition(other).is_null() && !is_ready(other) && waits_longer(other, node)) {
      ++before;
    }
  }
  const Duration rest = last ? std::max(*last + *interval - now, Duration{}) : Duration{};
  return rest + before * *interval;
}

}  // namespace orch::plan
