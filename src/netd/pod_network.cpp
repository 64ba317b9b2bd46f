#include "netd/pod_network.h"

#include <algorithm>

#include "plan/net/service_rules.h"

namespace orch::netd {

using loop::Task;

namespace {

std::vector<plan::net::HostPortRule> rules_of(const std::vector<runtime::HostPort>& ports) {
  std::vector<plan::net::HostPortRule> rules;
  for (const runtime::HostPort& port : ports) {
    const uint8_t protocol = plan::net::protocol_number(port.protocol);
    if (protocol != 0 && port.host_port != 0) rules.push_back({port.host_ip, protocol, port.host_port, port.container_port});
  }
  return rules;
}

}  // namespace

class NodeNetwork::Turn {
 public:
  using Gates = std::map<std::string, std::shared_ptr<Gate>>;
  Turn(std::shared_ptr<Gates> gates, std::string uid, std::shared_ptr<Gate> gate)
      : gates_(std::move(gates)), uid_(std::move(uid)), gate_(std::move(gate)) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    gate_->free.set();
    if (--gate_->users == 0) gates_->erase(uid_);
  }

 private:
  std::shared_ptr<Gates> gates_;
  std::string uid_;
  std::shared_ptr<Gate> gate_;
};

NodeNetwork::NodeNetwork(loop::Loop& loop, Logger logger, NodeNetworkOptions options, AddressBook book, Rules& rules)
    : loop_(loop),
      logger_(std::move(logger)),
      options_(std::move(options)),
      book_(std::move(book)),
      rules_(rules),
      ready_(loop),
      reason_("the node has no range of pod addresses yet (spec.podCIDR)"),
      gates_(std::make_shared<Turn::Gates>()) {
  for (const auto& [uid, entry] : book_.entries()) put_rules(uid, entry);
}

std::string NodeNetwork::not_ready_reason() const { return ready_.is_set() ? std::string() : reason_; }

Task<void> NodeNetwork::set_range(Cidr range) {
  if (ready_.is_set() && book_.range() == range) co_return;
  NodeLinks links{options_.bridge, range, options_.service_cidr, options_.dns_address};
  auto work = [links]() { return set_up_node(links); };
  auto refused = co_await loop::offload(loop_, work);
  if (!refused.ok()) {
    reason_ = "the pod network could not be set up: " + refused.error().message();
    co_await loop::fail(std::move(refused).error());
  }
  for (const std::string& what : *refused) logger_.warn("a setting was refused: pods may not get off the node", {{"error", what}});
  if (book_.range() != range) {
    if (book_.range())
      logger_.warn("the node's range of pod addresses changed", {{"from", format_cidr(*book_.range())}, {"to", format_cidr(range)}});
    Result<void> kept = book_.set_range(range);
    co_await std::move(kept);
  }
  logger_.info("pod network ready", {{"bridge", options_.bridge}, {"range", format_cidr(range)}});
  ready_.set();
}

Task<std::shared_ptr<NodeNetwork::Turn>> NodeNetwork::turn_of(std::string uid) {
  auto& slot = (*gates_)[uid];
  if (!slot) slot = std::make_shared<Gate>(loop_);
  std::shared_ptr<Gate> gate = slot;
  struct Waiting {  // gives the place up when we are cancelled while we wait
    std::shared_ptr<Turn::Gates> gates;
    const std::string& uid;
    std::shared_ptr<Gate> gate;
    bool done = false;
    ~Waiting() {
      if (!done && --gate->users == 0) gates->erase(uid);
    }
  } waiting{gates_, uid, gate};
  ++gate->users;
  while (!gate->free.is_set()) co_await gate->free.wait();
  gate->free.reset();
  waiting.done = true;
  co_return std::make_shared<Turn>(gates_, uid, gate);
}

void NodeNetwork::put_rules(const std::string& uid, const BookEntry& entry) {
  rules_.put(plan::net::pod_owner(uid), plan::net::pod_fragment(uid, entry.ip, rules_of(entry.host_ports)));
}

Task<runtime::PodAddresses> NodeNetwork::attach(runtime::PodNetworkRequest request) {
  if (!ready_.is_set()) co_await loop::fail(Error::make(Code::unavailable, reason_));
  auto turn = co_await turn_of(request.pod_uid);
  const bool is_new = book_.find(request.pod_uid) == nullptr;
  Result<Ip> taken = book_.take(request.pod_uid, request.ns, request.name, request.host_ports);
  const Ip ip = co_await std::move(taken);
  const BookEntry entry = *book_.find(request.pod_uid);
  PodLink link{options_.bridge, port_name(options_.instance, request.pod_uid), request.network_namespace, ip,
               gateway_of(*book_.range())};
  auto work = [turn, link, entry, directory = book_.directory(), uid = request.pod_uid]() -> Result<void> {
    // First the file: an address that is in use is never one the book does not know.
    TRY_VOID(AddressBook::save(directory, uid, entry));
    return attach_pod(link);
  };
  Result<void> attached = co_await loop::offload(loop_, work);
  if (!attached.ok()) {
    if (is_new) {
      auto undo = [turn, link, directory = book_.directory(), uid = request.pod_uid]() -> Result<void> {
        TRY_VOID(detach_pod(link.name));
        return AddressBook::erase(directory, uid);
      };
      Result<void> undone = co_await loop::offload(loop_, undo);
      if (undone.ok()) book_.give_back(request.pod_uid);
    }
    co_await loop::fail(std::move(attached).error().with_context("attach pod " + request.ns + "/" + request.name));
  }
  put_rules(request.pod_uid, entry);
  runtime::PodAddresses addresses;
  addresses.ips.push_back(format_ip(ip));
  co_return std::move(addresses);
}

Task<void> NodeNetwork::detach(std::string pod_uid) {
  auto turn = co_await turn_of(pod_uid);
  rules_.put(plan::net::pod_owner(pod_uid), {});
  auto work = [turn, name = port_name(options_.instance, pod_uid), directory = book_.directory(), pod_uid]() -> Result<void> {
    TRY_VOID(detach_pod(name));
    return AddressBook::erase(directory, pod_uid);
  };
  Result<void> done = co_await loop::offload(loop_, work);
  co_await std::move(done);
  book_.give_back(pod_uid);
}

Task<void> NodeNetwork::keep_only(std::vector<std::string> pod_uids) {
  std::vector<std::string> stale, keep;
  for (const auto& [uid, entry] : book_.entries())
    if (std::find(pod_uids.begin(), pod_uids.end(), uid) == pod_uids.end()) stale.push_back(uid);
  for (const std::string& uid : stale) co_await detach(uid);
  // Also pods that are being attached right now.
  for (const std::string& uid : pod_uids) keep.push_back(port_name(options_.instance, uid));
  for (const auto& [uid, entry] : book_.entries()) keep.push_back(port_name(options_.instance, uid));
  auto work = [bridge = options_.bridge, keep]() { return remove_other_ports(bridge, keep); };
  auto removed = co_await loop::offload(loop_, work);
  if (!removed.ok()) co_await loop::fail(std::move(removed).error());
  for (const std::string& name : *removed) logger_.info("removed a link that no pod has", {{"link", name}});
}

Task<void> NodeNetwork::tear_down() {
  ready_.reset();
  reason_ = "the pod network is being taken down";
  auto work = [bridge = options_.bridge]() { return tear_down_node(bridge); };
  Result<void> done = co_await loop::offload(loop_, work);
  co_await std::move(done);
}

}  // namespace orch::netd
