#include "netd/netd.h"

#include "client/informers.h"
#include "netd/dns_server.h"
#include "netd/kube_dns.h"
#include "netd/pod_network.h"
#include "netd/service_proxy.h"
#include "plan/core/object.h"

namespace orch::netd {

using loop::Task;

namespace {

constexpr Duration retry_pause = 2s;
constexpr std::string_view skeleton_owner = "skeleton";

struct Addresses {
  Cidr cluster_cidr, service_cidr;
  Ip dns;
};

Result<Addresses> parse_addresses(const Options& options) {
  auto cidr = [](const std::string& text, std::string_view flag) -> Result<Cidr> {
    auto parsed = parse_cidr(text);
    if (!parsed || parsed->ip.v6)
      return Error::make(Code::usage, "--" + std::string(flag) + " " + text + ": give an IPv4 range such as 10.42.0.0/16");
    parsed->ip = parsed->network();
    return *parsed;
  };
  Addresses addresses;
  TRY(addresses.cluster_cidr, cidr(options.cluster_cidr, "cluster-cidr"));
  TRY(addresses.service_cidr, cidr(options.service_cidr, "service-cidr"));
  auto dns = parse_ip(options.cluster_dns);
  if (!dns || dns->v6) return Error::make(Code::usage, "--cluster-dns " + options.cluster_dns + ": give an IPv4 address");
  addresses.dns = *dns;
  return addresses;
}

class Node final : public Netd {
 public:
  Node(loop::UvLoop& loop, client::ApiPort& api, Logger logger, Options options, Addresses addresses, AddressBook book)
      : loop_(loop),
        api_(api),
        logger_(logger),
        options_(std::move(options)),
        addresses_(addresses),
        bridge_(bridge_name(options_.instance)),
        changed_(loop),
        informers_(loop, api, logger),
        rules_(loop, logger, "orch_" + options_.instance),
        network_(loop, logger, NodeNetworkOptions{options_.instance, bridge_, addresses.service_cidr, addresses.dns},
                 std::move(book), rules_),
        proxy_(loop, informers_, rules_, network_options()),
        dns_(loop, informers_, logger,
             plan::net::DnsZoneOptions{options_.cluster_domain, addresses.dns, addresses.cluster_cidr, addresses.service_cidr},
             options_.resolv_conf),
        scope_(loop) {
    rules_.put(std::string(skeleton_owner), plan::net::skeleton(network_options()));
    informers_.add({plan::types::nodes});
    informers_.on_change([this](const plan::Type& type, const Value&, const Value& now) {
      if (type.same(plan::types::nodes) && plan::name_of(now) == options_.node) changed_.set();
    });
    informers_.start();
    scope_.spawn(run());
  }

  runtime::PodNetwork& pod_network() override { return network_; }

  Task<void> stop() override {
    scope_.cancel();
    co_await scope_.join();
    dns_.close();
  }
  Task<void> remove_everything() override {
    co_await stop();
    co_await rules_.remove_table();
    co_await network_.tear_down();
  }

 private:
  plan::net::NetworkOptions network_options() const {
    return {"orch_" + options_.instance, bridge_, options_.node, addresses_.cluster_cidr, addresses_.service_cidr, addresses_.dns};
  }

  // Brings up what is possible with what is known, again whenever more is.
  Task<void> run() {
    for (;;) {
      changed_.reset();
      auto step = co_await bring_up().result();
      if (step.ok()) {
        last_error_.clear();
        co_await changed_.wait();
        continue;
      }
      if (step.error().message() != last_error_) logger_.warn("the node's network is not complete", {{"error", step.error().message()}});
      last_error_ = step.error().message();
      co_await loop::sleep(loop_, retry_pause);
    }
  }

  Task<void> bring_up() {
    const Value node = informers_.snapshot().get(plan::types::nodes, "", options_.node);
    std::optional<Cidr> range = network_.range();
    if (auto told = parse_cidr(node["spec"]["podCIDR"].as_string()); told && !told->ip.v6) range = told;
    if (!range) co_return;
    const bool was_ready = network_.not_ready_reason().empty();
    co_await network_.set_range(*range);
    if (!was_ready && options_.ready) options_.ready();
    if (!listening_) {
      auto first = dns_.listen(format_ip(addresses_.dns));
      co_await std::move(first);
      listening_ = true;
    }
    if (!listening_on_gateway_) {
      auto second = dns_.listen(format_ip(gateway_of(*range)));
      co_await std::move(second);
      listening_on_gateway_ = true;
    }
    if (node.is_null() || has_objects_) co_return;
    KubeDnsOptions dns_options{options_.node, std::string(plan::uid_of(node)), format_ip(addresses_.dns), format_ip(gateway_of(*range))};
    co_await ensure_kube_dns(api_, std::move(dns_options));
    has_objects_ = true;
  }

  loop::UvLoop& loop_;
  client::ApiPort& api_;
  Logger logger_;
  Options options_;
  Addresses addresses_;
  std::string bridge_;
  bool listening_ = false, listening_on_gateway_ = false, has_objects_ = false;
  std::string last_error_;
  loop::Event changed_;
  client::Informers informers_;
  Rules rules_;
  NodeNetwork network_;
  ServiceProxy proxy_;
  DnsServer dns_;
  loop::Scope scope_;  // last: its tasks use the others
};

}  // namespace

Result<std::unique_ptr<Netd>> Netd::start(loop::UvLoop& loop, client::ApiPort& api, Logger logger, Options options) {
  if (options.instance.size() < 4) return Error::make(Code::usage, "the network needs the instance's digits");
  TRY(Addresses addresses, parse_addresses(options));
  TRY(AddressBook book, AddressBook::open(options.data_dir + "/agent/network"));
  std::unique_ptr<Netd> netd = std::make_unique<Node>(loop, api, logger.named("net"), std::move(options), addresses, std::move(book));
  return netd;
}

}  // namespace orch::netd
