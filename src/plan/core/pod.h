#pragma once
// Facts about a pod that several controllers agree on.

#include "base/time.h"
#include "data/value.h"

namespace orch::plan {

// Neither finished nor being deleted: counts for its controller.
bool is_pod_active(const Value& pod);
bool is_pod_finished(const Value& pod);  // phase Succeeded or Failed
bool is_pod_ready(const Value& pod);
// Ready for more than min_ready_seconds.
bool is_pod_available(const Value& pod, int64_t min_ready_seconds, Instant now);
const Value& pod_condition(const Value& pod, std::string_view type);

}  // namespace orch::plan
