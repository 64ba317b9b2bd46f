#include "agent/agent.h"

#include <set>

#include "agent/admission.h"
#include "agent/pod_worker.h"
#include "client/event_recorder.h"
#include "client/informer.h"
#include "loop/scope.h"
#include "plan/core/object.h"
#include "plan/core/pod.h"

namespace orch::agent {

namespace {

constexpr Duration image_gc_delay = 10s;

class NodeAgent final : public Agent {
 public:
  NodeAgent(Services services, Logger logger, Options options)
      : services_(services),
        options_(std::move(options)),
        log_(logger.named("agent")),
        events_(services.loop, services.api, log_),
        references_(services.loop, services.api, log_),
        parts_{services.loop, services.api, services.runtime, services.images, services.network, services.maker,
               services.random, references_, events_, log_, options_.node_ips,
               [this](const Value& pod) { return admit(pod); },
               [this](const Value& pod) { pods_.absorb(pod); },
               [this](const Value& pod) { forget_object(pod); },
               [this](const std::string& uid) { forget(uid); },
               [this] { collect_images_soon(); }},
        pod_table_(plan::types::pods.resource),
        node_table_(plan::types::nodes.resource),
        pods_(services.loop, services.api, plan::types::pods, pod_table_, log_,
              [this](const plan::Type&, const Value& old, const Value& now) { hear_pod(old, now); },
              client::Informer::Filter{"", "spec.nodeName=" + options_.node_name}),
        node_(services.loop, services.api, plan::types::nodes, node_table_, log_,
              [this](const plan::Type&, const Value&, const Value&) { look_at_all(); },
              client::Informer::Filter{"", "metadata.name=" + options_.node_name}),
        scope_(services.loop, [this](const Error& error) { log_.error("the agent", {{"error", error.message()}}); }) {
    services_.runtime.on_change([this](const std::string& uid) { hear_runtime(uid); });
    scope_.spawn(run());
  }
  ~NodeAgent() override {
    services_.runtime.on_change([](const std::string&) {});
    if (image_timer_) services_.loop.cancel_timer(*image_timer_);
    scope_.cancel();
    workers_.clear();
  }

  loop::Task<void> stop() override {
    scope_.cancel();
    workers_.clear();
    services_.runtime.on_change([](const std::string&) {});
    co_await events_.flush();
  }
  loop::Task<void> stop_pods(Duration limit) override;
  bool is_synced() const override { return swept_; }
  size_t size() const override { return workers_.size(); }
  void record(const plan::pod::PodView& pod, const plan::Note& note) override {
    Value object = pod.object().with("apiVersion", "v1").with("kind", "Pod");
    events_.record("kubelet", client::EventRecorder::reference(object), note);
  }
  std::vector<PodOnNode> pods() const override;
  std::optional<PodOnNode> find(std::string_view ns, std::string_view name) const override;

 private:
  loop::Task<void> run();
  loop::Task<void> sweep();
  void hear_pod(const Value& old, const Value& now);
  void hear_runtime(const std::string& uid);
  void look_at_all();
  void add(Checkpoint known);
  void forget(const std::string& uid);
  void forget_object(const Value& pod);
  std::optional<std::optional<plan::pod::Rejection>> admit(const Value& pod);
  void collect_images_soon();
  loop::Task<void> collect_images();
  static PodOnNode describe(const PodWorker& worker);

  Services services_;
  Options options_;
  Logger log_;
  client::EventRecorder events_;
  ReferenceWatcher references_;
  NodeParts parts_;
  plan::ObjectTable pod_table_, node_table_;
  std::map<std::string, std::unique_ptr<PodWorker>> workers_;  // by uid
  client::Informer pods_, node_;
  bool swept_ = false;
  std::optional<loop::Loop::TimerId> image_timer_;
  loop::Scope scope_;  // last
};

// Before and without the API's help what was kept on disk goes on; then the API has its say.
loop::Task<void> NodeAgent::run() {
  auto kept = co_await services_.maker.load_checkpoints().result();
  if (kept.ok()) {
    for (Checkpoint& checkpoint : kept.value()) add(std::move(checkpoint));
  } else {
    log_.warn("the pods kept on disk cannot be read", {{"error", kept.error().message()}});
  }
  scope_.spawn(node_.run());
  scope_.spawn(pods_.run());
  co_await pods_.synced().wait();
  for (const auto& [uid, worker] : workers_) {
    const Value& known = pod_table_.get(worker->pod().ns(), worker->pod().name());
    if (plan::uid_of(known) != uid) worker->set_gone();
  }
  co_await sweep();
  swept_ = true;
  collect_images_soon();  // and tells which images are in use
}

// What is left of pods that nobody knows any more.
loop::Task<void> NodeAgent::sweep() {
  std::vector<std::string> known;
  for (const auto& [uid, worker] : workers_) known.push_back(uid);
  std::set<std::string> keep(known.begin(), known.end());
  std::vector<runtime::SandboxState> sandboxes = services_.runtime.list();
  for (const runtime::SandboxState& sandbox : sandboxes) {
    if (keep.contains(sandbox.pod_uid)) continue;
    log_.info("removing what is left of a pod", {{"pod", sandbox.ns + "/" + sandbox.name}, {"uid", sandbox.pod_uid}});
    auto removed = co_await services_.runtime.remove_sandbox(sandbox.pod_uid).result();
    if (!removed.ok()) log_.warn("it cannot be removed", {{"uid", sandbox.pod_uid}, {"error", removed.error().message()}});
  }
  auto kept = co_await services_.network.keep_only(known).result();
  if (!kept.ok()) log_.warn("the pods' network cannot be cleaned up", {{"error", kept.error().message()}});
  auto removed = co_await services_.maker.remove_files_except(known).result();
  if (!removed.ok()) log_.warn("old pods' files cannot be removed", {{"error", removed.error().message()}});
}

void NodeAgent::add(Checkpoint known) {
  std::string uid(plan::uid_of(known.pod));
  auto& worker = workers_[uid];
  if (!worker) worker = std::make_unique<PodWorker>(parts_, std::move(known));
}

void NodeAgent::hear_pod(const Value& old, const Value& now) {
  const Value& pod = now.is_null() ? old : now;
  auto worker = workers_.find(std::string(plan::uid_of(pod)));
  if (now.is_null()) {
    if (worker != workers_.end()) worker->second->set_gone();
  } else if (now["spec"]["nodeName"].as_string() != options_.node_name) {
    return;
  } else if (worker == workers_.end()) {
    add(Checkpoint{now, {}});
  } else {
    worker->second->update(now);
  }
}

void NodeAgent::hear_runtime(const std::string& uid) {
  auto worker = workers_.find(uid);
  if (worker != workers_.end()) worker->second->look_soon();
  if (options_.pod_changed) options_.pod_changed(uid);
}

void NodeAgent::look_at_all() {
  for (auto& [uid, worker] : workers_)
    if (!worker->is_admitted()) worker->look_soon();
}

// Called by the worker itself.
void NodeAgent::forget(const std::string& uid) {
  auto worker = workers_.find(uid);
  if (worker == workers_.end()) return;
  std::shared_ptr<PodWorker> gone(std::move(worker->second));
  workers_.erase(worker);
  services_.loop.defer([gone] {});
}

void NodeAgent::forget_object(const Value& pod) {
  pods_.absorb_removal(std::string(plan::namespace_of(pod)), std::string(plan::name_of(pod)), std::string(plan::uid_of(pod)));
  // The informer may have heard of it before us, or of its successor.
  auto worker = workers_.find(std::string(plan::uid_of(pod)));
  if (worker != workers_.end()) worker->second->set_gone();
}

std::optional<std::optional<plan::pod::Rejection>> NodeAgent::admit(const Value& pod) {
  const Value& node = node_table_.get("", options_.node_name);
  if (node["status"]["allocatable"].empty()) return std::nullopt;
  std::vector<Value> others;
  for (const auto& [uid, worker] : workers_) {
    std::string_view phase = worker->status()["phase"].as_string();
    // A pod removed by force does not count for the scheduler any more, so it may not count here (nor does it for kubelet).
    if (uid == plan::uid_of(pod) || !worker->is_admitted() || worker->is_gone() || phase == "Failed" || phase == "Succeeded") continue;
    others.push_back(worker->pod().object());
  }
  return agent::admit(pod, node, others);
}

PodOnNode NodeAgent::describe(const PodWorker& worker) {
  return {worker.pod().object().with("status", worker.status()), worker.ips()};
}

std::vector<PodOnNode> NodeAgent::pods() const {
  std::vector<PodOnNode> all;
  for (const auto& [uid, worker] : workers_) all.push_back(describe(*worker));
  return all;
}

std::optional<PodOnNode> NodeAgent::find(std::string_view ns, std::string_view name) const {
  std::optional<PodOnNode> found;
  for (const auto& [uid, worker] : workers_) {
    if (worker->pod().ns() != ns || worker->pod().name() != name) continue;
    if (!found || !worker->is_gone()) found = describe(*worker);
  }
  return found;
}

// Like a shutdown of the machine: SIGTERM, grace, SIGKILL; the pods are not deleted and start again with us.
loop::Task<void> NodeAgent::stop_pods(Duration limit) {
  std::vector<runtime::SandboxState> sandboxes = services_.runtime.list();
  scope_.cancel();
  workers_.clear();
  for (const auto& sandbox : sandboxes)
    for (const auto& container : sandbox.containers)
      if (container.phase != runtime::ContainerPhase::exited)
        co_await services_.runtime.kill_container(sandbox.pod_uid, container.id, 15).result();
  const Mono until = services_.loop.now() + limit;
  auto is_any_live = [this] {
    for (const auto& sandbox : services_.runtime.list())
      for (const auto& container : sandbox.containers)
        if (sandbox.alive && container.phase != runtime::ContainerPhase::exited) return true;
    return false;
  };
  while (is_any_live() && services_.loop.now() < until) co_await loop::sleep(services_.loop, 20ms);
  for (const auto& sandbox : sandboxes) co_await services_.runtime.remove_sandbox(sandbox.pod_uid).result();
}

// Images come with pulls and are set free with containers: only then is there something to collect.
void NodeAgent::collect_images_soon() {
  if (image_timer_) return;
  image_timer_ = services_.loop.start_timer(services_.loop.now() + image_gc_delay, [this] {
    image_timer_.reset();
    scope_.spawn(collect_images());
  });
}

loop::Task<void> NodeAgent::collect_images() {
  std::set<std::string> used;
  auto use = [&](std::string_view reference) {
    if (auto image = services_.images.find(reference)) used.insert(image->id);
  };
  for (const auto& sandbox : services_.runtime.list())
    for (const auto& container : sandbox.containers) use(container.image_id);
  for (const auto& [uid, worker] : workers_)
    for (const auto& container : worker->pod().containers()) use(container.image());
  services_.images.set_in_use(std::vector<std::string>(used.begin(), used.end()));
  auto disk = co_await services_.images.disk_usage().result();
  if (!disk.ok() || disk->capacity_bytes <= 0) co_return;
  const int64_t taken = disk->capacity_bytes - disk->available_bytes;
  if (taken < disk->capacity_bytes / 100 * options_.image_gc_high_percent) co_return;
  const int64_t wanted = taken - disk->capacity_bytes / 100 * options_.image_gc_low_percent;
  auto freed = co_await services_.images.collect(wanted).result();
  const int64_t bytes = freed.ok() ? freed.value() : 0;
  log_.info("images collected", {{"wanted", static_cast<long long>(wanted)}, {"freed", static_cast<long long>(bytes)}});
  if (bytes >= wanted) co_return;
  Value node = node_table_.get("", options_.node_name);
  if (node.is_null()) co_return;
  events_.record("kubelet", client::EventRecorder::reference(node.with("apiVersion", "v1").with("kind", "Node")),
                 {plan::NoteType::warning, "FreeDiskSpaceFailed",
                  "Failed to garbage collect required amount of images. Attempted to free " + std::to_string(wanted) +
                      " bytes, but only found " + std::to_string(bytes) + " bytes eligible to free.", {}});
}

}  // namespace

std::unique_ptr<Agent> start(Services services, Logger logger, Options options) {
  return std::make_unique<NodeAgent>(services, std::move(logger), std::move(options));
}

}  // namespace orch::agent
