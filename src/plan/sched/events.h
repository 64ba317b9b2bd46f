#pragma once
// What can happen in a cluster that may let a pod fit that did not fit before. Each plugin names the
// kinds that can undo its refusal (plugins.cpp); the queue wakes by them.

#include <cstdint>

namespace orch::plan::sched {

using EventMask = uint32_t;

namespace event {
inline constexpr EventMask node_added = 1;
inline constexpr EventMask node_allocatable = 2;  // more or less of something
inline constexpr EventMask node_labels = 4;
inline constexpr EventMask node_taints = 8;       // or unschedulable
inline constexpr EventMask pod_removed = 16;      // an assigned pod is gone or has finished
inline constexpr EventMask pod_changed = 32;      // an assigned pod's requests or labels
inline constexpr EventMask pod_added = 64;        // a pod came to a node
inline constexpr EventMask node_removed = 128;
inline constexpr EventMask any = ~EventMask{0};
}  // namespace event

}  // namespace orch::plan::sched
