#pragma once
// The node's own HTTP paths, the kubelet's:
//
//   /containerLogs/<ns>/<pod>/<container>   /exec/...   /attach/...   /portForward/<ns>/<pod>
//   /pods   /stats/summary   /metrics/resource   /healthz
//
// A wire::Handler that the API hands requests over to (client/node_directory.h): in one process a call with the
// client's own connection. Who may ask was decided there. Errors are metav1.Status, as kube-apiserver makes
// them of kubelet's.
//
// Owner: the agent; goes after whoever serves it. On the loop's thread.

#include <functional>
#include <map>
#include <set>
#include <string>

#include "agent/log_lines.h"
#include "agent/node_stats.h"
#include "base/log.h"
#include "data/value.h"
#include "loop/uv_loop.h"
#include "runtime/pod_runtime.h"
#include "wire/http.h"

namespace orch::agent {

class NodeApi final : public wire::Handler {
 public:
  struct Parts {
    loop::UvLoop& loop;
    Logger log;
    runtime::PodRuntime& runtime;
    std::string node_name;
    std::string log_directory;  // <data-dir>/agent/logs
    // The node's pods, each with the status it has now.
    std::function<std::vector<Value>()> pods;
  };
  explicit NodeApi(Parts parts);

  loop::Task<void> handle(wire::Request request, wire::Peer peer, wire::Responder& responder) override;
  size_t max_body(const wire::Request&) const override { return 0; }

  // Something about the pod has changed: logs that are being followed end with their container.
  void pod_changed(const std::string& pod_uid);

 private:
  struct Place {  // what a path names
    std::string verb, ns, pod, container;
  };
  static std::optional<Place> place_of(std::string_view path);
  loop::Task<void> answer(wire::Request request, wire::Responder& responder);
  Result<Value> find_pod(const Place& place) const;
  // The container of the pod that runs: its id.
  Result<std::string> running_container(const Value& pod, std::string_view name) const;

  loop::Task<void> serve_logs(wire::Request request, Place place, wire::Responder& responder);
  loop::Task<void> serve_exec(wire::Request request, Place place, wire::Responder& responder);
  loop::Task<void> serve_attach(wire::Request request, Place place, wire::Responder& responder);
  loop::Task<void> serve_port_forward(wire::Request request, Place place, wire::Responder& responder);
  loop::Task<void> serve_stats(std::string path, wire::Responder& responder);

  Parts p_;
  NodeStats stats_;
  std::multimap<std::string, loop::Event*, std::less<>> followers_;  // by pod uid
};

// Which container of a pod has the logs asked for, by its status. Errors are kubelet's own: "container \"c\" in pod
// \"p\" is waiting to start: ContainerCreating".
struct LogSource {
  std::string container_id;  // without "orch://"
  int64_t restart_count = 0;
};
Result<LogSource> choose_log_source(const Value& pod, std::string_view container, bool previous);

// <log_directory>/<ns>_<name>_<uid>/<container>/<attempt>.log
std::string container_log_path(std::string_view log_directory, const Value& pod, std::string_view container,
                               int64_t attempt);

}  // namespace orch::agent
