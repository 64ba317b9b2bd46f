#pragma once
// PodInfo: what the scheduler needs of a pod, parsed once when the pod is seen and never changed.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/value.h"
#include "plan/sched/node_terms.h"
#include "plan/sched/resources.h"
#include "plan/sched/taints.h"

namespace orch::plan::sched {

struct HostPort {
  std::string ip;        // "0.0.0.0": all addresses
  std::string protocol;  // "TCP"
  int64_t port = 0;
  bool operator==(const HostPort&) const = default;
};
// Would both be bound to the same address and port?
bool collide(const HostPort& a, const HostPort& b);

struct PodInfo {
  Value object;
  std::string ns, name, uid;
  std::string node_name;  // "": not assigned
  std::string scheduler;
  int64_t priority = 0;
  bool gated = false;     // spec.schedulingGates is not empty
  bool never_preempts = false;  // preemptionPolicy Never
  bool deleting = false;
  bool finished = false;  // Succeeded or Failed: holds nothing any more
  PodRequests requests;
  std::vector<HostPort> host_ports;
  std::vector<Toleration> tolerations;
  NodeWishes wishes;

  std::string full_name() const { return ns + "/" + name; }
};
using PodPtr = std::shared_ptr<const PodInfo>;

PodPtr parse_pod(const Value& pod);
// Could the difference make a pod fit that did not, or change how it counts? (Status does not.)
bool is_same_to_scheduler(const Value& old, const Value& now);

}  // namespace orch::plan::sched
