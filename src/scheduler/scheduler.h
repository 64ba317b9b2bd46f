#pragma once
// The driver of plan/sched: pods and nodes come in through informers, pods without a node are tried
// one after the other, a pod that got one is assumed to be there while its binding is written.
// Event-driven: nothing runs while nothing changes. Destroying the owner stops everything at once.

#include <cstddef>
#include <memory>

#include "base/log.h"
#include "base/random.h"
#include "client/api_port.h"
#include "loop/loop.h"

namespace orch::scheduler {

struct Options {
  std::string name = "default-scheduler";  // of the pods that are ours: spec.schedulerName
  size_t most_bindings = 128;              // on their way at the same time
};

class Scheduler {
 public:
  virtual ~Scheduler() = default;
  virtual bool is_synced() const = 0;
  // No pod is tried or bound at the moment.
  virtual bool is_idle() const = 0;
};

// `loop`, `api` and `random` outlive the result.
std::unique_ptr<Scheduler> start(loop::Loop& loop, client::ApiPort& api, Random& random, Logger logger,
                                 Options options = {});

}  // namespace orch::scheduler
