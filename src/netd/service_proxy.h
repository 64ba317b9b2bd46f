#pragma once
// ServiceProxy: Services and EndpointSlices, as the informers have them, into Rules. Event-driven: only what changed is
// planned anew, once a turn of the loop.

#include <set>
#include <string>

#include "client/informers.h"
#include "netd/rules.h"
#include "plan/net/skeleton.h"

namespace orch::netd {

class ServiceProxy {
 public:
  // Adds its types to the informers: before they start.
  ServiceProxy(loop::Loop& loop, client::Informers& informers, Rules& rules, plan::net::NetworkOptions options);

 private:
  void hear(const plan::Type& type, const Value& old, const Value& now);
  loop::Task<void> run();
  void plan(const std::string& key);

  loop::Loop& loop_;
  client::Informers& informers_;
  Rules& rules_;
  plan::net::NetworkOptions options_;
  std::set<std::string> dirty_;  // "namespace/name"
  loop::Event wanted_;
  loop::Scope scope_;
};

}  // namespace orch::netd
