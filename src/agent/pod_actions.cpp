// The actions of a pod, each a task.

#include "agent/image_name.h"
#include "agent/pod_worker.h"
#include "agent/pull_credentials.h"
#include "plan/core/object.h"
#include "plan/pod/container_facts.h"

namespace orch::agent {

using namespace plan::pod;

namespace {

constexpr Duration failed_removal_delay = 1s;

std::vector<runtime::HostPort> host_ports_of(const PodView& pod) {
  std::vector<runtime::HostPort> ports;
  for (const ContainerView& container : pod.containers()) {
    if (container.kind == ContainerKind::init) continue;
    for (const Value& port : container.spec["ports"].items()) {
      if (port["hostPort"].as_int() == 0) continue;
      ports.push_back({std::string(port["hostIP"].as_string()), static_cast<uint16_t>(port["hostPort"].as_int()),
                       static_cast<uint16_t>(port["containerPort"].as_int()),
                       std::string(port["protocol"].as_string("TCP"))});
    }
  }
  return ports;
}

// 256 random bits as 64 hexadecimal digits.
std::string new_container_id(Random& random) {
  std::string id;
  for (int i = 0; i < 4; ++i) {
    uint64_t bits = random.next();
    for (int shift = 60; shift >= 0; shift -= 4) id += "0123456789abcdef"[(bits >> shift) & 15];
  }
  return id;
}

}  // namespace

loop::Task<void> PodWorker::run(Action action) {
  Outcome outcome;
  outcome.generation = generation_;
  auto ended = co_await carry_out(action, outcome).result();
  if (!ended.ok() && !outcome.failure) outcome.failure = Failure{"", ended.error().message(), ""};
  if (outcome.failure && action.kind == ActionKind::remove_container) co_await loop::sleep(parts_.loop, failed_removal_delay);
  record(finish(memory_, view_, action, outcome, parts_.loop.wall(), parts_.loop.now()));
  look_soon();
}

loop::Task<void> PodWorker::carry_out(const Action& action, Outcome& outcome) {
  switch (action.kind) {
    case ActionKind::prepare_volumes: co_await prepare_volumes(outcome); break;
    case ActionKind::create_sandbox: co_await create_sandbox(action); break;
    case ActionKind::remove_sandbox: co_await parts_.runtime.remove_sandbox(uid_); break;
    case ActionKind::attach_network: co_await attach_network(outcome); break;
    case ActionKind::pull_image: co_await pull_image(action, outcome); break;
    case ActionKind::start_container: co_await start_container(action, outcome); break;
    case ActionKind::post_start:
    case ActionKind::pre_stop: co_await run_hook(action); break;
    case ActionKind::signal_container: co_await parts_.runtime.kill_container(uid_, action.id, action.signal); break;
    case ActionKind::remove_container: co_await remove_container(action); break;
    case ActionKind::release: co_await remove_sandbox(false); break;
    case ActionKind::tear_down: co_await remove_sandbox(true); break;
    case ActionKind::delete_object: co_await delete_object(); break;
    case ActionKind::forget: parts_.forget(uid_); break;
  }
}

loop::Task<void> PodWorker::wait_for_references() {
  while (!parts_.references.is_known(uid_, references_)) {
    references_known_.reset();
    co_await references_known_.wait();
  }
}

loop::Task<void> PodWorker::prepare_volumes(Outcome& outcome) {
  co_await wait_for_references();
  outcome.generation = generation_;
  references_ = parts_.references.resolve(uid_, references_);
  outcome.failure = co_await parts_.maker.prepare(view_, references_);
}

loop::Task<void> PodWorker::create_sandbox(const Action& action) {
  runtime::SandboxSpec spec = co_await parts_.maker.sandbox_spec(view_, action.attempt);
  auto created = co_await parts_.runtime.create_sandbox(std::move(spec)).result();
  if (!created.ok()) {
    // What a crash left half done is not listed, but in the way.
    if (created.error().is(Code::already_exists)) co_await parts_.runtime.remove_sandbox(uid_).result();
    co_await loop::fail(created.error());
  }
  if (view_.host_network()) co_await parts_.maker.addressed(view_, parts_.node_ips);
}

loop::Task<void> PodWorker::attach_network(Outcome& outcome) {
  auto state = parts_.runtime.find(uid_);
  if (!state || !state->alive) co_await loop::fail(Error::make(Code::unavailable, "the sandbox is gone"));
  runtime::PodNetworkRequest request;
  request.pod_uid = uid_;
  request.ns = view_.ns();
  request.name = view_.name();
  request.network_namespace = state->network_namespace;
  request.host_ports = host_ports_of(view_);
  runtime::PodAddresses addresses = co_await parts_.network.attach(std::move(request));
  outcome.ips = addresses.ips;
  co_await parts_.maker.addressed(view_, addresses.ips);
}

loop::Task<void> PodWorker::pull_image(const Action& action, Outcome& outcome) {
  co_await wait_for_references();
  const Mono begun = parts_.loop.now();
  auto credentials = pull_credentials(view_, parts_.references.resolve(uid_, references_));
  runtime::Image image = co_await parts_.images.pull(action.image, std::move(credentials));
  outcome.image_bytes = image.size_bytes;
  outcome.took = parts_.loop.now() - begun;
  parts_.images_changed();
}

loop::Task<void> PodWorker::start_container(const Action& action, Outcome& outcome) {
  const ContainerView* view = view_.find(action.container);
  auto image = parts_.images.find(action.image);
  if (!view || !image) {
    outcome.failure = Failure{"CreateContainerError", "image \"" + action.image + "\" not found", ""};
    co_return;
  }
  co_await wait_for_references();
  outcome.generation = generation_;
  ContainerRequest request{view_, *view, parts_.references.resolve(uid_, references_), *image,
                           view_.host_network() ? parts_.node_ips : memory_.ips, new_container_id(parts_.random), action.attempt};
  const std::string id = request.id;
  auto spec = co_await parts_.maker.container_spec(std::move(request)).result();
  if (!spec.ok()) {
    outcome.failure = Failure{"CreateContainerConfigError", spec.error().message(), ""};
    co_return;
  }
  spec->pod_uid = uid_;
  spec->id = id;
  spec->name = action.container;
  spec->attempt = action.attempt;
  spec->layers = image->layers;
  spec->image_id = image->digests.empty() ? image->id : image->digests.front();
  spec->spec_hash = spec_hash(*view);
  auto started = co_await parts_.runtime.start_container(std::move(*spec)).result();
  if (!started.ok()) {
    outcome.failure = Failure{"CreateContainerError", started.error().message(), ""};
    co_return;
  }
  outcome.id = started->id;
  outcome.start_error = started->start_error;
}

loop::Task<void> PodWorker::run_hook(const Action& action) {
  const ContainerView* view = view_.find(action.container);
  if (!view) co_return;
  const bool post_start = action.kind == ActionKind::post_start;
  Value handler = view->spec["lifecycle"][post_start ? "postStart" : "preStop"];
  // postStart has no limit of its own.
  Duration limit = action.limit > Duration{} ? action.limit : Duration{24h};
  co_await parts_.maker.run_hook(view_, *view, action.id, handler, view_.host_network() ? parts_.node_ips : memory_.ips, limit);
}

loop::Task<void> PodWorker::remove_container(const Action& action) {
  co_await parts_.runtime.remove_container(uid_, action.id);
  co_await parts_.maker.remove_log(view_, action.container, action.attempt);
  parts_.images_changed();
}

loop::Task<void> PodWorker::remove_sandbox(bool with_files) {
  leaving_ = leaving_ || with_files;
  parts_.maker.stop_probes(uid_);
  co_await parts_.runtime.remove_sandbox(uid_);
  if (!view_.host_network()) co_await parts_.network.detach(uid_);
  if (!with_files) co_return;
  while (keeping_) co_await loop::sleep(parts_.loop, 10ms);  // a checkpoint would bring the directory back
  co_await parts_.maker.remove_files(uid_, std::string(view_.ns()), std::string(view_.name()));
  parts_.images_changed();
}

loop::Task<void> PodWorker::delete_object() {
  client::Target target = client::target_of(plan::types::pods);
  target.ns = view_.ns();
  target.name = view_.name();
  client::RemoveOptions options;
  options.uid = uid_;
  options.grace_seconds = 0;
  auto removed = co_await parts_.api.remove(target, options).result();
  // Not ours any more: the watch has told, or will tell, that this one is gone.
  const bool is_gone = !removed.ok() && (removed.error().is(Code::not_found) || removed.error().is(Code::conflict));
  if (!removed.ok() && !is_gone) co_await loop::fail(removed.error());
  if (is_gone || plan::uid_of(removed.value()) != uid_) {
    parts_.absorb_removal(view_.object());
  } else {
    parts_.absorb(removed.value());  // finalizers hold it
  }
}

}  // namespace orch::agent
