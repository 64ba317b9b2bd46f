#include "agent/node_keeper.h"

#include "plan/core/object.h"

namespace orch::agent {

using loop::Task;

namespace {

constexpr Duration interval = 10s;  // kubelet's nodeStatusUpdateFrequency
constexpr Duration first_retry = 100ms, longest_retry = 7s;

plan::Note said(std::string_view reason, std::string message) {
  return {plan::NoteType::normal, std::string(reason), std::move(message), {}};
}

}  // namespace

NodeKeeper::NodeKeeper(Parts parts, plan::NodeFacts facts)
    : parts_(std::move(parts)),
      facts_(std::move(facts)),
      table_(plan::types::nodes.resource),
      informer_(parts_.loop, parts_.api, plan::types::nodes, table_, parts_.log,
                [this](const plan::Type&, const Value&, const Value&) { look_soon(); },
                client::Informer::Filter{"", "metadata.name=" + facts_.name}),
      events_(parts_.loop, parts_.api, parts_.log),
      wanted_(parts_.loop),
      lease_scope_(parts_.loop),
      scope_(parts_.loop) {}

NodeKeeper::~NodeKeeper() {
  if (timer_) parts_.loop.cancel_timer(*timer_);
}

void NodeKeeper::start() {
  scope_.spawn(informer_.run());
  scope_.spawn(run());
}

void NodeKeeper::look_soon() { wanted_.set(); }

Task<void> NodeKeeper::run() {
  co_await informer_.synced().wait();
  Duration retry = first_retry;
  for (;;) {
    wanted_.reset();
    auto looked = co_await look().result();
    if (!looked.ok()) {
      parts_.log.warn("the node's status was not written", {{"node", facts_.name}, {"error", looked.error().message()}});
      co_await loop::sleep(parts_.loop, retry);
      retry = std::min<Duration>(retry * 2, longest_retry);
      continue;
    }
    retry = first_retry;
    timer_ = parts_.loop.start_timer(parts_.loop.now() + interval, [this] {
      timer_.reset();
      wanted_.set();
    });
    co_await wanted_.wait();
    if (timer_) parts_.loop.cancel_timer(*std::exchange(timer_, std::nullopt));
  }
}

Task<Value> NodeKeeper::patch(std::string_view subresource, Value patch) {
  client::Target target = client::target_of(plan::types::nodes);
  target.name = facts_.name;
  target.subresource = subresource;
  client::WriteOptions options;
  options.field_manager = "kubelet";
  Value written = co_await parts_.api.patch(target, client::PatchType::merge, std::move(patch), options);
  informer_.absorb(written);
  co_return std::move(written);
}

Task<void> NodeKeeper::look() {
  auto read = parts_.read_machine;
  facts_.machine = co_await loop::offload(parts_.loop, read);
  facts_.images.clear();
  facts_.network_not_ready.clear();
  parts_.complete(facts_);
  Value known = node();
  if (known.is_null()) known = co_await enter();
  keep_lease(known);
  Value metadata = plan::node_metadata_patch(facts_, known);
  if (!metadata.is_null()) known = co_await patch("", metadata);
  Value status = plan::make_node_status(facts_, known, parts_.loop.wall());
  if (status == known["status"]) co_return;
  const Value before = known["status"];
  Value change = Value::object({{"status", status}});
  co_await patch("status", std::move(change));
  note(plan::node_status_notes(facts_.name, before, status));
}

Task<Value> NodeKeeper::enter() {
  client::Target target = client::target_of(plan::types::nodes);
  client::WriteOptions options;
  options.field_manager = "kubelet";
  Value fresh = plan::make_node(facts_, parts_.loop.wall());
  auto created = co_await parts_.api.create(target, std::move(fresh), options).result();
  Value known;
  if (created.ok()) {
    known = created.value();
    note(plan::node_status_notes(facts_.name, Value::null(), known["status"]));
  } else if (created.error().is(Code::already_exists)) {  // the informer has not heard of it yet
    target.name = facts_.name;
    known = co_await parts_.api.get(target);
  } else {
    co_await loop::fail(created.error());
  }
  informer_.absorb(known);
  co_return std::move(known);
}

// The Lease goes with its Node, and a new Node has a new one.
void NodeKeeper::keep_lease(const Value& known) {
  if (plan::uid_of(known) == node_uid_) return;
  if (node_uid_.empty())
    note({said("Starting", "Starting kubelet."), said("NodeAllocatableEnforced", "Updated Node Allocatable limit across pods")});
  node_uid_ = plan::uid_of(known);
  client::LeaseSpec lease;
  lease.name = lease.holder = facts_.name;
  lease.owner = Value::object({{"apiVersion", "v1"}, {"kind", "Node"}, {"name", facts_.name}, {"uid", node_uid_}});
  lease_scope_.cancel();
  lease_ = std::make_unique<client::LeaseKeeper>(parts_.loop, parts_.api, parts_.log, std::move(lease));
  lease_scope_.spawn(lease_->run());
}

void NodeKeeper::note(const std::vector<plan::Note>& notes) {
  // kubelet's events about nodes have the name for a uid.
  Value about = Value::object({{"apiVersion", "v1"}, {"kind", "Node"}, {"name", facts_.name}, {"uid", facts_.name}});
  for (const plan::Note& each : notes) events_.record("kubelet", about, each);
}

Task<void> NodeKeeper::stop() {
  scope_.cancel();
  lease_scope_.cancel();
  co_await events_.flush();
}

}  // namespace orch::agent
