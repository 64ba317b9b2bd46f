#pragma once
// Sends a container's log to a client, and goes on as it grows while the container runs.

#include <string>

#include "agent/log_lines.h"
#include "loop/uv_loop.h"
#include "runtime/pod_runtime.h"
#include "wire/http.h"

namespace orch::agent {

struct LogRequest {
  LogOptions options;
  std::string path;  // of the file that is being written
  std::string pod_uid, container_id;
};

// Reads on worker threads; waits for changes of the directory (no polling) and for `changed`, which the caller sets
// when something about the pod has changed. A log that does not exist (yet) is empty.
loop::Task<void> send_logs(loop::UvLoop& loop, const runtime::PodRuntime& runtime, LogRequest request,
                           loop::Event& changed, wire::Responder& responder);

}  // namespace orch::agent
