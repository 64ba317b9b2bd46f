#pragma once
// metrics.k8s.io/v1beta1: what nodes and pods use, for kubectl top and the horizontal autoscaler. Nothing is
// stored: each read asks the nodes concerned (their /stats/summary) at the same time. Nodes that do not answer
// are left out, as metrics-server does.

#include <map>

#include "api/connect.h"

namespace orch::api {

class Metrics {
 public:
  Metrics(Objects& objects, const Connect& connect) : objects_(objects), connect_(connect) {}

  static bool serves(const RequestInfo& info) {
    return info.target.group == "metrics.k8s.io" && info.target.version == "v1beta1";
  }
  // A NodeMetrics or PodMetrics, or the list of them. Code::not_found, method_not_allowed.
  loop::Task<Value> read(const wire::Request& request, const RequestInfo& info);

 private:
  using Summaries = std::map<std::string, Value, std::less<>>;
  loop::Task<Summaries> ask(std::vector<std::string> nodes);
  loop::Task<void> ask_one(std::string node, Summaries& into);
  loop::Task<Value> read_nodes(ListQuery query, std::string name);
  loop::Task<Value> read_pods(ListQuery query, std::string ns, std::string name);

  Objects& objects_;
  const Connect& connect_;
};

// Pure halves. Null where the summary has no figures (yet).
Value node_metrics(const Value& node, const Value& summary, Instant now);
Value pod_metrics(const Value& pod, const Value& summary, Instant now);

}  // namespace orch::api
