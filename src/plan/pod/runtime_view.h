#pragma once
// What exists of a pod, as the runtime says: runtime/pod_runtime.h's states without its interfaces,
// which a pure room does not see. The driver copies one into the other.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace orch::plan::pod {

struct ContainerRecord {
  enum class Phase : uint8_t { created, running, exited };
  std::string id;    // 64 hexadecimal digits
  std::string name;  // of the container in the pod
  uint32_t attempt = 0;
  Phase phase = Phase::created;
  int pid = 0;  // in the host's pid namespace; 0 unless running
  int exit_code = 0;  // 128 + signal where a signal ended it
  int signal = 0;
  bool oom_killed = false;
  std::string start_error;  // why it never ran; phase is exited then
  Instant created_at, started_at, finished_at;
  std::string image_id;
  std::string spec_hash;

  bool is_live() const { return phase != Phase::exited; }
};

struct SandboxRecord {
  uint32_t attempt = 0;
  bool alive = true;  // false: its shim died, nothing of it runs
  int shim_pid = 0;
  Instant created_at;
  std::vector<ContainerRecord> containers;  // in the order they were started

  // The newest of this name; null: none.
  const ContainerRecord* newest(std::string_view name) const;
  const ContainerRecord* find(std::string_view id) const;
};

}  // namespace orch::plan::pod
