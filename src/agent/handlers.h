#pragma once
// What probes and lifecycle hooks do to a container: an HTTP request, a TCP connection, a command, gRPC's health
// check, a sleep. Words of results are kubelet's. On the loop's thread.
//
// HTTP and TCP go to the pod's address from the node, as kubelet's do.

#include <string>

#include "loop/loop.h"
#include "loop/stream.h"
#include "runtime/pod_runtime.h"

namespace orch::agent {

// Whom a probe or hook is about.
struct HandlerTarget {
  std::string pod_uid, container_id;
  std::string pod_ip;  // "": the pod has none (yet)
  Value container;     // its spec: ports have names
};

struct Attempt {
  bool success = false;
  std::string output;   // of a failure: what kubelet puts behind "Readiness probe failed: "
  bool warning = false;  // a success that says something (an HTTP redirect elsewhere)
};

class Handlers {
 public:
  Handlers(loop::Loop& loop, loop::Network& network, runtime::PodRuntime& runtime)
      : loop_(loop), network_(network), runtime_(runtime) {}

  // `probe`: a Probe with exactly one of exec, httpGet, tcpSocket and grpc. An Error of the Task is about the
  // attempt itself (an unknown port), not about the container.
  loop::Task<Attempt> probe(HandlerTarget target, Value probe, Duration timeout);
  // `handler`: a LifecycleHandler. Errors: the text for FailedPostStartHook and FailedPreStopHook.
  loop::Task<void> run_hook(HandlerTarget target, Value handler, Duration limit);

 private:
  loop::Task<Attempt> probe_http(HandlerTarget target, Value get, Duration timeout);
  loop::Task<Attempt> probe_tcp(HandlerTarget target, Value socket, Duration timeout);
  loop::Task<Attempt> probe_exec(HandlerTarget target, Value exec, Duration timeout);
  loop::Task<Attempt> probe_grpc(HandlerTarget target, Value grpc, Duration timeout);

  loop::Loop& loop_;
  loop::Network& network_;
  runtime::PodRuntime& runtime_;
};

// An IntOrString port of a container, by number or name. Code::invalid.
Result<uint16_t> resolve_port(const Value& port, const Value& container);
// "dial tcp 10.42.0.7:80: connect: connection refused": how Go tells of a connection that failed.
std::string dial_text(std::string_view address, const Error& error);

}  // namespace orch::agent
