#pragma once
// NodeKeeper: this machine as a Node of the cluster. Registers it, writes its status when (and only when) something
// has changed, renews its Lease, tells of what happens to it. On the loop's thread.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "client/api_port.h"
#include "client/event_recorder.h"
#include "client/informer.h"
#include "client/lease_keeper.h"
#include "loop/scope.h"
#include "plan/nodes/node_object.h"

namespace orch::agent {

class NodeKeeper {
 public:
  struct Parts {
    loop::Loop& loop;
    client::ApiPort& api;
    Logger log;
    // Asked on a worker thread: the machine as it is.
    std::function<plan::MachineFacts()> read_machine;
    // Asked on the loop: images and the network's readiness are filled in.
    std::function<void(plan::NodeFacts&)> complete;
  };
  // `facts`: what does not change while we run; machine, images and network_not_ready are asked for.
  NodeKeeper(Parts parts, plan::NodeFacts facts);
  ~NodeKeeper();
  NodeKeeper(const NodeKeeper&) = delete;
  NodeKeeper& operator=(const NodeKeeper&) = delete;

  void start();
  // Something may have changed (an image, the network): looked at soon instead of within ten seconds.
  void look_soon();
  // As the API has it; null before it is known.
  const Value& node() const { return table_.get("", facts_.name); }
  // Events are written.
  loop::Task<void> stop();

 private:
  loop::Task<void> run();
  loop::Task<void> look();
  loop::Task<Value> enter();
  void keep_lease(const Value& known);
  loop::Task<Value> patch(std::string_view subresource, Value patch);
  void note(const std::vector<plan::Note>& notes);

  Parts parts_;
  plan::NodeFacts facts_;
  plan::ObjectTable table_;
  client::Informer informer_;
  client::EventRecorder events_;
  std::unique_ptr<client::LeaseKeeper> lease_;
  loop::Event wanted_;
  std::optional<loop::Loop::TimerId> timer_;
  std::string node_uid_;  // whose Lease is kept
  loop::Scope lease_scope_;
  loop::Scope scope_;  // last
};

}  // namespace orch::agent
