#pragma once
// What the node, its pods and their containers use: the kubelet's /stats/summary and /metrics/resource.
//
// Rates need two looks. Nothing is measured while nobody asks: the first question after a while waits for a
// second look, one second later; answers younger than five seconds are given again.

#include <map>
#include <optional>
#include <string>

#include "data/value.h"
#include "loop/loop.h"
#include "runtime/pod_runtime.h"

namespace orch::agent {

struct UsageSample {
  std::string pod_uid, container;  // of a pod as a whole: container ""
  Instant started_at;
  runtime::ResourceUsage usage;
};
struct NodeSample {
  Instant at;
  Mono mono;
  std::optional<uint64_t> cpu_ns;
  std::optional<uint64_t> memory_total, memory_available;  // bytes
  Instant booted_at;
  std::vector<UsageSample> usage;
};

class NodeStats {
 public:
  NodeStats(loop::Loop& loop, runtime::PodRuntime& runtime, std::string node_name)
      : loop_(loop), runtime_(runtime), node_name_(std::move(node_name)) {}

  // A Summary (k8s.io/kubelet/pkg/apis/stats/v1alpha1).
  loop::Task<Value> summary(std::vector<Value> pods);
  // Prometheus' text.
  loop::Task<std::string> resource_metrics(std::vector<Value> pods);

 private:
  loop::Task<NodeSample> look();

  loop::Loop& loop_;
  runtime::PodRuntime& runtime_;
  std::string node_name_;
  std::optional<NodeSample> before_, latest_;
};

// Pure halves.
Value format_summary(std::string_view node_name, const NodeSample& before, const NodeSample& now,
                     const std::vector<Value>& pods);
std::string format_resource_metrics(const NodeSample& now, const std::vector<Value>& pods);
// From /proc/stat (in units of 1/100 s) and /proc/meminfo.
void read_proc_stat(std::string_view text, NodeSample& into);
void read_meminfo(std::string_view text, NodeSample& into);

}  // namespace orch::agent
