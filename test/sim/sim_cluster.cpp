#include "sim/sim_cluster.h"

#include <catch2/catch_test_macros.hpp>

#include "api/bootstrap.h"
#include "base/log.h"
#include "client/known_types.h"

namespace orch::test {

using client::Target;
using loop::Task;

namespace {

constexpr Duration kStep = 250ms;

Value condition(std::string_view type, std::string_view status, const std::string& now) {
  return Value::object({{"type", type}, {"status", status}, {"lastTransitionTime", now}});
}

}  // namespace

// What dies with a crash.
struct SimCluster::Server {
  explicit Server(SimCluster& sim)
      : store(sim.loop_, {}, sim.disk_, sim.store_faults()),
        admission(std::move(api::builtin_admission(store, {})).value()),
        objects({sim.loop_, store, sim.registry_, sim.hooks_, sim.random_, *admission, Logger::discard()}),
        port(objects),
        faulty(port, sim.random_, sim.faults_.port),
        agents(sim.loop_) {}
  store::MemoryStore store;
  std::unique_ptr<api::Admission> admission;
  api::Objects objects;
  api::LocalPort port;
  FaultyPort faulty;
  std::unique_ptr<control::Controllers> controllers;
  std::unique_ptr<scheduler::Scheduler> scheduler;
  std::map<std::string, std::unique_ptr<FakeNode>> nodes;
  loop::Scope agents;  // what else the nodes do
};

SimCluster::SimCluster(uint64_t seed, SimFaults faults)
    : random_(seed), faults_(faults), registry_(schema::Registry::builtin().value()), hooks_(schema::Hooks::builtin()) {}

SimCluster::~SimCluster() { server_.reset(); }

store::MemoryFaults SimCluster::store_faults() {
  store::MemoryFaults faults;
  faults.fail = [this](const store::Batch&) -> std::optional<Error> {
    if (faults_.crash_every && random_.below(faults_.crash_every) == 0) crash_wanted_ = true;
    if (!chance(faults_.failed_writes)) return std::nullopt;
    return Error::make(Code::io, "injected: the disk is full");
  };
  faults.early = [this](const store::Batch&) { return random_.below(2) == 0; };
  faults.delay = [this] { return std::chrono::microseconds(random_.below(500)); };
  return faults;
}

void SimCluster::start() {
  server_ = std::make_unique<Server>(*this);
  for (;;) {
    auto made = loop_.run(api::bootstrap(server_->port, {"10.43.0.0/16", "192.0.2.1", 6443}));
    if (made.ok()) break;
    INFO(made.error().message());
    REQUIRE(made.error().is(Code::io));
  }
  control::Options options;
  options.types = client::known_types(*registry_);
  options.root_ca = "a certificate";
  server_->controllers = control::start(loop_, server_->faulty, Logger::discard(), std::move(options));
  server_->scheduler = scheduler::start(loop_, server_->faulty, random_, Logger::discard());
  for (auto& [name, node] : nodes_) {
    if (node.alive) start_node(node);
  }
}

void SimCluster::crash() {
  ++crashes_;
  crash_wanted_ = false;
  server_.reset();
  start();
}

void SimCluster::add_node(std::string name, std::string_view cpu) {
  SimNode& node = nodes_[name];
  node.name = name;
  std::string now = format_time(loop_.wall());
  Value resources = Value::object({{"cpu", cpu}, {"memory", "256Gi"}, {"pods", "500"}});
  Target collection{"", "v1", "nodes", "", "", ""};
  create(collection, Value::object({{"apiVersion", "v1"},
                                    {"kind", "Node"},
                                    {"metadata", Value::object({{"name", name}})},
                                    {"status", Value::object({{"capacity", resources},
                                                              {"allocatable", resources},
                                                              {"conditions", Value::list({condition("Ready", "True", now)})}})}}));
  node.machine.start_time = faults_.start_time / 2;
  start_node(node);
}

void SimCluster::lose_node(const std::string& name) {
  nodes_.at(name).alive = false;
  server_->nodes.erase(name);
  nodes_.at(name).machine.reboot();
}

Task<void> SimCluster::keep_lease(SimNode& node) {
  Target collection{"coordination.k8s.io", "v1", "leases", "kube-node-lease", "", ""};
  Target target = collection;
  target.name = node.name;
  client::WriteOptions options;
  for (; node.alive;) {
    Value spec = Value::object({{"holderIdentity", node.name},
                                {"leaseDurationSeconds", 40},
                                {"renewTime", format_micro_time(loop_.wall())}});
    Value lease = Value::object({{"apiVersion", "coordination.k8s.io/v1"},
                                 {"kind", "Lease"},
                                 {"metadata", Value::object({{"name", node.name}, {"namespace", "kube-node-lease"}})},
                                 {"spec", spec}});
    auto renewed = co_await server_->port.update(target, lease, options).result();
    if (!renewed.ok()) co_await server_->port.create(collection, lease, options).result();
    co_await loop::sleep(loop_, 10s);
  }
}

void SimCluster::start_node(SimNode& node) {
  server_->agents.spawn(keep_lease(node));
  agent::Options options;
  options.node_name = node.name;
  options.node_ips = {"192.0.2.1"};
  server_->nodes[node.name] = std::make_unique<FakeNode>(loop_, server_->faulty, node.machine, random_, std::move(options));
}

size_t SimCluster::conflicts() const { return server_->faulty.conflicts(); }
size_t SimCluster::lost_watches() const { return server_->faulty.lost(); }

size_t SimCluster::live_containers() const {
  size_t count = 0;
  for (const auto& [name, node] : nodes_) count += node.machine.live();
  return count;
}

void SimCluster::run_for(Duration duration) {
  for (Duration passed{}; passed < duration; passed += kStep) {
    loop_.run_for(kStep);
    if (crash_wanted_) crash();
    if (invariant) invariant();
  }
}

bool SimCluster::run_until(const std::function<bool()>& holds, Duration limit) {
  for (Duration passed{}; passed < limit; passed += kStep) {
    if (holds()) return true;
    run_for(kStep);
  }
  return holds();
}

template <class T>
Result<T> SimCluster::call(Task<T> task) {
  return loop_.run(std::move(task), 1h);
}

Value SimCluster::create(Target target, Value object) {
  for (;;) {
    auto made = call(server_->port.create(target, object, {}));
    if (made.ok()) return std::move(made).value();
    INFO(made.error().message());
    REQUIRE((made.error().is(Code::io) || made.error().is(Code::already_exists)));
    if (made.error().is(Code::already_exists)) return {};
  }
}

Value SimCluster::get(Target target) {
  auto found = call(server_->port.get(std::move(target)));
  return found.ok() ? std::move(found).value() : Value();
}

std::vector<Value> SimCluster::list(Target target) {
  auto listed = call(server_->port.list(std::move(target), {}));
  return listed.ok() ? std::move(listed->items) : std::vector<Value>{};
}

Value SimCluster::patch(Target target, Value merge_patch) {
  for (;;) {
    auto changed = call(server_->port.patch(target, client::PatchType::merge, merge_patch, {}));
    if (changed.ok()) return std::move(changed).value();
    INFO(changed.error().message());
    REQUIRE((changed.error().is(Code::io) || changed.error().is(Code::conflict)));
  }
}

void SimCluster::remove(Target target) {
  for (;;) {
    auto gone = call(server_->port.remove(target, {}));
    if (gone.ok() || gone.error().is(Code::not_found)) return;
    REQUIRE(gone.error().is(Code::io));
  }
}

Target pods(std::string name) { return {"", "v1", "pods", "default", std::move(name), ""}; }
Target deployments(std::string name) { return {"apps", "v1", "deployments", "default", std::move(name), ""}; }

Value sim_deployment(std::string_view name, int replicas, std::string_view image) {
  Value labels = Value::object({{"app", name}});
  Value container = Value::object({{"name", "main"}, {"image", image}});
  Value pod = Value::object({{"metadata", Value::object({{"labels", labels}})},
                             {"spec", Value::object({{"containers", Value::list({container})}})}});
  return Value::object({{"apiVersion", "apps/v1"},
                        {"kind", "Deployment"},
                        {"metadata", Value::object({{"name", name}, {"namespace", "default"}})},
                        {"spec", Value::object({{"replicas", replicas},
                                                {"selector", Value::object({{"matchLabels", labels}})},
                                                {"template", pod}})}});
}

size_t ready_pods(const std::vector<Value>& pods, std::string_view image) {
  size_t count = 0;
  for (const Value& pod : pods) {
    if (!image.empty() && pod["spec"]["containers"].at(0)["image"].as_string() != image) continue;
    for (const Value& each : pod["status"]["conditions"].items()) {
      count += each["type"].as_string() == "Ready" && each["status"].as_string() == "True";
    }
  }
  return count;
}

}  // namespace orch::test
