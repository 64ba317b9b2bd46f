#pragma once
// NodeNetwork: the PodNetwork of this node. Decides on the loop's thread, changes links on worker threads, several pods at a
// time; what is done for one pod is done in order.

#include <map>
#include <memory>
#include <string>

#include "base/log.h"
#include "netd/address_book.h"
#include "netd/pod_links.h"
#include "netd/rules.h"

namespace orch::netd {

struct NodeNetworkOptions {
  std::string instance;  // 12 hexadecimal digits
  std::string bridge;    // bridge_name(instance)
  Cidr service_cidr;
  Ip dns_address;
};

class NodeNetwork final : public runtime::PodNetwork {
 public:
  NodeNetwork(loop::Loop& loop, Logger logger, NodeNetworkOptions options, AddressBook book, Rules& rules);

  std::string not_ready_reason() const override;
  loop::Task<runtime::PodAddresses> attach(runtime::PodNetworkRequest request) override;
  loop::Task<void> detach(std::string pod_uid) override;
  loop::Task<void> keep_only(std::vector<std::string> pod_uids) override;

  // The node's range, from the API or (at start) the book: makes the bridge. Tried again by calling it again.
  loop::Task<void> set_range(Cidr range);
  const std::optional<Cidr>& range() const { return book_.range(); }
  // Set once the bridge is there.
  loop::Event& ready() { return ready_; }
  // Takes every link away. The files stay.
  loop::Task<void> tear_down();

 private:
  // Serialises the work on one pod. The turn is held by the work itself, which a cancelled task leaves behind.
  struct Gate {
    explicit Gate(loop::Loop& loop) : free(loop) { free.set(); }
    loop::Event free;
    size_t users = 0;
  };
  class Turn;
  loop::Task<std::shared_ptr<Turn>> turn_of(std::string uid);
  void put_rules(const std::string& uid, const BookEntry& entry);

  loop::Loop& loop_;
  Logger logger_;
  NodeNetworkOptions options_;
  AddressBook book_;
  Rules& rules_;
  loop::Event ready_;
  std::string reason_;
  std::shared_ptr<std::map<std::string, std::shared_ptr<Gate>>> gates_;  // by pod; work that outlives us has it, too
};

}  // namespace orch::netd
