#include "plan/workloads/pod_ranking.h"

#include <algorithm>
#include <bit>
#include <map>
#include <string>
#include <tuple>

#include "base/text.h"
#include "plan/core/object.h"
#include "plan/core/pod.h"

namespace orch::plan {

namespace {

int phase_rank(std::string_view phase) {
  if (phase == "Pending") return 0;
  if (phase == "Unknown") return 1;
  return 2;
}

int64_t deletion_cost(const Value& pod) {
  return parse_int(annotation_of(pod, "controller.kubernetes.io/pod-deletion-cost")).value_or(0);
}

int64_t most_restarts(const Value& pod) {
  int64_t most = 0;
  for (const Value& container : pod["status"]["containerStatuses"].items())
    most = std::max(most, container["restartCount"].as_int());
  return most;
}

// The power of two (of nanoseconds) below an age; an unknown time is the youngest.
int age_bucket(std::optional<Instant> since, Instant now) {
  if (!since) return -2;
  int64_t age = (now - *since).count();
  return age <= 0 ? -1 : std::bit_width(static_cast<uint64_t>(age));
}

// Smaller goes first.
using Rank = std::tuple<bool, int, bool, int64_t, int64_t, int, int64_t, int, std::string_view>;

Rank rank(const Value& pod, int64_t siblings_on_node, Instant now) {
  const bool ready = is_pod_ready(pod);
  int ready_for = 0;
  if (ready) ready_for = age_bucket(time_of(pod_condition(pod, "Ready")["lastTransitionTime"]), now);
  return Rank(!pod["spec"]["nodeName"].as_string().empty(), phase_rank(pod["status"]["phase"].as_string()),
              ready, deletion_cost(pod), -siblings_on_node, ready_for, -most_restarts(pod),
              age_bucket(created_at(pod), now), uid_of(pod));
}

}  // namespace

std::vector<Value> choose_pods_to_delete(const std::vector<Value>& pods, const std::vector<Value>& related,
                                         size_t count, Instant now) {
  if (count >= pods.size()) return pods;
  std::map<std::string_view, int64_t> on_node;
  for (const Value& pod : related)
    if (is_pod_active(pod)) ++on_node[pod["spec"]["nodeName"].as_string()];

  std::vector<std::pair<Rank, size_t>> order;
  for (size_t i = 0; i < pods.size(); ++i) {
    auto siblings = on_node.find(pods[i]["spec"]["nodeName"].as_string());
    order.emplace_back(rank(pods[i], siblings == on_node.end() ? 0 : siblings->second, now), i);
  }
  std::sort(order.begin(), order.end());
  std::vector<Value> chosen;
  for (size_t i = 0; i < count; ++i) chosen.push_back(pods[order[i].second]);
  return chosen;
}

}  // namespace orch::plan
