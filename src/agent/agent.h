#pragma once
// The node agent: the pods bound to this node, from the API to the runtime. See README.md.
//
// Everything outside comes as an interface; nothing here knows whether the API is in the same process.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/pod_maker.h"
#include "base/log.h"
#include "base/random.h"
#include "client/api_port.h"
#include "loop/loop.h"
#include "runtime/image_service.h"
#include "runtime/pod_network.h"
#include "runtime/pod_runtime.h"

namespace orch::agent {

struct Options {
  std::string node_name;
  std::vector<std::string> node_ips;
  // kubelet's imageGCHighThresholdPercent and -LowThresholdPercent.
  int image_gc_high_percent = 85, image_gc_low_percent = 80;
  // Told whenever something of a pod has changed on the node.
  std::function<void(const std::string& pod_uid)> pod_changed = {};
};

struct Services {
  loop::Loop& loop;
  client::ApiPort& api;
  runtime::PodRuntime& runtime;
  runtime::ImageService& images;
  runtime::PodNetwork& network;
  PodMaker& maker;
  Random& random;
};

// A pod as the kubelet's HTTP paths need it.
struct PodOnNode {
  Value pod;     // with the status as this node sees it
  std::vector<std::string> ips;
};

class Agent {
 public:
  virtual ~Agent() = default;  // everything ends at once; pods keep running
  // Events are written, no new operation begins.
  virtual loop::Task<void> stop() = 0;
  // Ends every container with its grace period: --stop-pods-on-exit.
  virtual loop::Task<void> stop_pods(Duration limit) = 0;
  virtual bool is_synced() const = 0;
  virtual std::vector<PodOnNode> pods() const = 0;
  virtual std::optional<PodOnNode> find(std::string_view ns, std::string_view name) const = 0;
  virtual size_t size() const = 0;
  // An event about a pod of ours.
  virtual void record(const plan::pod::PodView& pod, const plan::Note& note) = 0;
};

// What `services` refers to outlives the result.
std::unique_ptr<Agent> start(Services services, Logger logger, Options options);

}  // namespace orch::agent
