#pragma once
// The driver of every reconciler: changes that informers see become keys, workers take a key, ask
// the reconciler for a plan and have it carried out. Level-triggered: a key says where to look, never
// what happened. Destroying the owner cancels everything at once; stop() lets plans in work end.

#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "client/api_port.h"
#include "loop/loop.h"
#include "plan/core/snapshot.h"

namespace orch::control {

struct Options {
  // All types of the API (client::known_types); those the reconcilers name are added.
  std::vector<plan::Snapshot::KnownType> types;
  std::string root_ca;  // PEM
  std::string cluster_cidr;  // out of it Nodes get spec.podCIDR; "": they get none
  int workers = 5;      // keys of one reconciler worked on at the same time
};

class Controllers {
 public:
  virtual ~Controllers() = default;
  // No new plans; returns when those in work have ended and their Events are written.
  virtual loop::Task<void> stop() = 0;
  virtual bool is_synced() const = 0;
  virtual const plan::Snapshot& snapshot() const = 0;
};

// `loop` and `api` outlive the result.
std::unique_ptr<Controllers> start(loop::Loop& loop, client::ApiPort& api, Logger logger, Options options);
std::unique_ptr<Controllers> start(loop::Loop& loop, client::ApiPort& api, Logger logger, Options options,
                                   std::vector<plan::Reconciler> reconcilers);

}  // namespace orch::control
