#pragma once
// Events about a pod in kubelet's words.

#include <string>
#include <string_view>

#include "plan/core/plan.h"
#include "plan/pod/pod_view.h"

namespace orch::plan::pod {

Note normal(std::string_view reason, std::string message);
Note warning(std::string_view reason, std::string message);
// About one container: involvedObject.fieldPath is "spec.containers{name}".
Note about(const PodView& pod, std::string_view container, Note note);
// "web-0_default(6f1c...)", kubelet's format.Pod.
std::string format_pod(const PodView& pod);

}  // namespace orch::plan::pod
