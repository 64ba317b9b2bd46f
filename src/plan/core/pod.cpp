#include "plan/core/pod.h"

#include "plan/core/object.h"
#include "plan/core/status.h"

namespace orch::plan {

const Value& pod_condition(const Value& pod, std::string_view type) {
  return find_condition(pod["status"]["conditions"], type);
}

bool is_pod_finished(const Value& pod) {
  std::string_view phase = pod["status"]["phase"].as_string();
  return phase == "Succeeded" || phase == "Failed";
}

bool is_pod_active(const Value& pod) { return !is_pod_finished(pod) && !is_deleting(pod); }

bool is_pod_ready(const Value& pod) { return pod_condition(pod, "Ready")["status"].as_string() == "True"; }

bool is_pod_available(const Value& pod, int64_t min_ready_seconds, Instant now) {
  if (!is_pod_ready(pod)) return false;
  if (min_ready_seconds == 0) return true;
  auto since = time_of(pod_condition(pod, "Ready")["lastTransitionTime"]);
  return since && *since + std::chrono::seconds(min_ready_seconds) < now;
}

}  // namespace orch::plan
