#pragma once
// LeaseKeeper: keeps one Lease alive, as a node does to say that it lives. Makes it where it is
// missing, renews it every quarter of its duration, and takes it over if it is somebody else's.

#include <string>

#include "base/log.h"
#include "client/api_port.h"
#include "loop/loop.h"

namespace orch::client {

struct LeaseSpec {
  std::string ns = "kube-node-lease";
  std::string name;
  std::string holder;
  Duration duration = 40s;
  Value owner;  // an owner reference, or null
};

class LeaseKeeper {
 public:
  LeaseKeeper(loop::Loop& loop, ApiPort& api, Logger logger, LeaseSpec spec);
  loop::Task<void> run();  // until cancelled
  loop::Task<void> renew();

 private:
  Value renewed(const Value& lease) const;
  loop::Loop& loop_;
  ApiPort& api_;
  Logger logger_;
  LeaseSpec spec_;
  Value lease_;  // as we last wrote it
};

}  // namespace orch::client
