#include "agent/fake_node.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <csignal>

#include "plan/core/object.h"

namespace orch::test {

using loop::Task;
using runtime::ContainerPhase;
using runtime::ContainerState;
using runtime::SandboxState;

namespace {

Error missing(std::string_view what) { return Error::make(Code::not_found, std::string(what) + " not found"); }

void end(ContainerState& container, int code, int signal, Instant now) {
  container.phase = ContainerPhase::exited;
  container.exit_code = code;
  container.signal = signal;
  container.pid = 0;
  container.finished_at = now;
}

}  // namespace

size_t FakeMachine::live() const {
  size_t count = 0;
  for (const auto& [uid, sandbox] : sandboxes)
    for (const ContainerState& container : sandbox.containers)
      count += sandbox.alive && container.phase != ContainerPhase::exited;
  return count;
}

ContainerState* FakeMachine::find_live(const std::string& pod_name, const std::string& container) {
  for (auto& [uid, sandbox] : sandboxes)
    for (ContainerState& each : sandbox.containers)
      if (sandbox.name == pod_name && each.name == container && each.phase != ContainerPhase::exited) return &each;
  return nullptr;
}

void FakeMachine::exit(loop::Loop& loop, const std::string& pod_name, const std::string& container, int code) {
  for (auto& [uid, sandbox] : sandboxes) {
    for (ContainerState& each : sandbox.containers) {
      if (sandbox.name != pod_name || each.name != container || each.phase == ContainerPhase::exited) continue;
      end(each, code, 0, loop.wall());
      loop.defer([this, uid = uid] { changed(uid); });
    }
  }
}

void FakeMachine::kill_shim(const std::string& pod_name) {
  for (auto& [uid, sandbox] : sandboxes) {
    if (sandbox.name != pod_name) continue;
    sandbox.alive = false;
    changed(uid);
  }
}

std::vector<SandboxState> FakeRuntime::list() const {
  std::vector<SandboxState> all;
  for (const auto& [uid, sandbox] : machine_.sandboxes) all.push_back(sandbox);
  return all;
}

std::optional<SandboxState> FakeRuntime::find(std::string_view pod_uid) const {
  auto found = machine_.sandboxes.find(std::string(pod_uid));
  if (found == machine_.sandboxes.end()) return std::nullopt;
  return found->second;
}

ContainerState* FakeRuntime::container(const std::string& uid, const std::string& id) {
  auto sandbox = machine_.sandboxes.find(uid);
  if (sandbox == machine_.sandboxes.end()) return nullptr;
  for (ContainerState& container : sandbox->second.containers)
    if (container.id == id) return &container;
  return nullptr;
}

Task<SandboxState> FakeRuntime::create_sandbox(runtime::SandboxSpec spec) {
  co_await loop::sleep(loop_, machine_.start_time);
  if (machine_.sandboxes.contains(spec.pod_uid)) co_await loop::fail(Error::make(Code::already_exists, "there is one"));
  SandboxState state;
  state.pod_uid = spec.pod_uid;
  state.ns = spec.ns;
  state.name = spec.name;
  state.attempt = spec.attempt;
  state.network_namespace = "/proc/1/ns/net";
  state.created_at = loop_.wall();
  machine_.sandboxes[spec.pod_uid] = state;
  ++machine_.created_sandboxes;
  machine_.changed(spec.pod_uid);
  co_return state;
}

Task<void> FakeRuntime::remove_sandbox(std::string pod_uid) {
  co_await loop::yield_turn(loop_);
  if (machine_.sandboxes.erase(pod_uid)) machine_.changed(pod_uid);
}

Task<ContainerState> FakeRuntime::start_container(runtime::ContainerSpec spec) {
  co_await loop::sleep(loop_, machine_.start_time);
  auto sandbox = machine_.sandboxes.find(spec.pod_uid);
  if (sandbox == machine_.sandboxes.end()) co_await loop::fail(missing("sandbox"));
  for (const ContainerState& other : sandbox->second.containers)
    REQUIRE((other.name != spec.name || other.phase == ContainerPhase::exited));  // never two of one name
  ContainerState state;
  state.id = spec.id;
  state.name = spec.name;
  state.attempt = spec.attempt;
  state.phase = ContainerPhase::running;
  state.pid = 1000;
  state.created_at = state.started_at = loop_.wall();
  state.image_id = spec.image_id;
  state.spec_hash = spec.spec_hash;
  sandbox->second.containers.push_back(state);
  ++machine_.started;
  machine_.changed(spec.pod_uid);
  co_return state;
}

Task<void> FakeRuntime::kill_container(std::string pod_uid, std::string id, int signal) {
  co_await loop::sleep(loop_, machine_.stop_time);
  ContainerState* found = container(pod_uid, id);
  if (!found || found->phase == ContainerPhase::exited) co_return;
  if (signal != SIGKILL && machine_.ignore_term.contains(found->name)) co_return;
  ++machine_.killed;
  end(*found, signal == SIGKILL ? 137 : 0, signal, loop_.wall());
  machine_.changed(pod_uid);
}

Task<void> FakeRuntime::remove_container(std::string pod_uid, std::string id) {
  co_await loop::yield_turn(loop_);
  auto sandbox = machine_.sandboxes.find(pod_uid);
  if (sandbox == machine_.sandboxes.end()) co_return;
  std::erase_if(sandbox->second.containers, [&](const ContainerState& c) { return c.id == id; });
  machine_.changed(pod_uid);
}

Task<std::unique_ptr<runtime::CommandSession>> FakeRuntime::exec(std::string, std::string, runtime::CommandRequest) {
  co_await loop::fail(missing("command"));
  co_return std::unique_ptr<runtime::CommandSession>();
}
Task<runtime::CommandOutput> FakeRuntime::exec_and_wait(std::string, std::string, std::vector<std::string>, Duration, size_t) {
  co_return runtime::CommandOutput();
}
Task<std::unique_ptr<runtime::CommandSession>> FakeRuntime::attach(std::string, std::string) {
  co_await loop::fail(missing("container"));
  co_return std::unique_ptr<runtime::CommandSession>();
}
Task<std::unique_ptr<loop::Stream>> FakeRuntime::connect(std::string, std::string, uint16_t) {
  co_await loop::fail(missing("port"));
  co_return std::unique_ptr<loop::Stream>();
}
Task<runtime::ResourceUsage> FakeRuntime::usage(std::string, std::string) { co_return runtime::ResourceUsage(); }

std::optional<runtime::Image> FakeImages::find(std::string_view reference) const {
  if (!machine_.images.contains(std::string(reference))) return std::nullopt;
  runtime::Image image;
  image.id = "sha256:" + std::string(reference);
  image.tags = {std::string(reference)};
  return image;
}

Task<runtime::Image> FakeImages::pull(std::string reference, std::vector<runtime::RegistryCredentials>) {
  co_await loop::sleep(loop_, 1s);
  if (reference.starts_with("missing")) co_await loop::fail(missing(reference));
  machine_.images.insert(reference);
  co_return *find(reference);
}

Task<void> FakeImages::remove(std::string reference) {
  machine_.images.erase(reference);
  co_return;
}

Task<int64_t> FakeImages::collect(int64_t bytes) {
  asked_to_collect = bytes;
  co_return bytes;
}

Task<runtime::PodAddresses> FakeNetwork::attach(runtime::PodNetworkRequest request) {
  co_await loop::yield_turn(loop_);
  std::string& address = machine_.addresses[request.pod_uid];
  if (address.empty()) address = machine_.network_block + std::to_string(machine_.next_address++);
  ++machine_.attached;
  runtime::PodAddresses addresses;
  addresses.ips = {address};
  co_return std::move(addresses);
}

Task<void> FakeNetwork::detach(std::string pod_uid) {
  machine_.addresses.erase(pod_uid);
  co_return;
}

Task<void> FakeNetwork::keep_only(std::vector<std::string> pod_uids) {
  std::erase_if(machine_.addresses, [&](const auto& entry) { return std::ranges::find(pod_uids, entry.first) == pod_uids.end(); });
  co_return;
}

Task<std::vector<agent::Checkpoint>> FakeMaker::load_checkpoints() {
  std::vector<agent::Checkpoint> all;
  for (const auto& [uid, checkpoint] : machine_.checkpoints) all.push_back(checkpoint);
  co_return std::move(all);
}

Task<void> FakeMaker::save_checkpoint(agent::Checkpoint checkpoint) {
  co_await loop::yield_turn(loop_);
  machine_.checkpoints.insert_or_assign(std::string(plan::uid_of(checkpoint.pod)), std::move(checkpoint));
}

Task<std::optional<plan::pod::Failure>> FakeMaker::prepare(plan::pod::PodView pod, plan::pod::ResolvedReferences references) {
  co_await loop::yield_turn(loop_);
  ++machine_.prepared;
  machine_.directories.insert(std::string(pod.uid()));
  for (const auto& [name, object] : references.config_maps)
    if (object.is_null()) co_return plan::pod::Failure{"", "configmap \"" + name + "\" not found", name};
  co_return std::optional<plan::pod::Failure>();
}

Result<runtime::SandboxSpec> FakeMaker::sandbox_spec(const plan::pod::PodView& pod, uint32_t attempt) {
  runtime::SandboxSpec spec;
  spec.pod_uid = pod.uid();
  spec.ns = pod.ns();
  spec.name = pod.name();
  spec.attempt = attempt;
  return spec;
}

Task<runtime::ContainerSpec> FakeMaker::container_spec(agent::ContainerRequest request) {
  runtime::ContainerSpec spec;
  spec.name = request.container.name();
  co_return std::move(spec);
}

Task<void> FakeMaker::remove_files(std::string pod_uid, std::string, std::string) {
  machine_.directories.erase(pod_uid);
  machine_.checkpoints.erase(pod_uid);
  co_return;
}

Task<void> FakeMaker::remove_files_except(std::vector<std::string> pod_uids) {
  auto is_gone = [&](const std::string& uid) { return std::ranges::find(pod_uids, uid) == pod_uids.end(); };
  std::erase_if(machine_.directories, is_gone);
  std::erase_if(machine_.checkpoints, [&](const auto& entry) { return is_gone(entry.first); });
  co_return;
}

// A readiness probe succeeds some time after its container has started.
void FakeMaker::watch_probes(const plan::pod::PodView& pod, const plan::pod::SandboxRecord* sandbox,
                             const std::vector<std::string>&, std::function<void()> changed) {
  if (!sandbox) return;
  std::string uid(pod.uid());
  for (const auto& container : sandbox->containers) {
    if (!container.is_live() || probes_[uid].contains(container.id)) continue;
    probes_[uid][container.id] = {};
    loop_.start_timer(loop_.now() + machine_.ready_after, [this, alive = alive_, uid, id = container.id, changed] {
      if (!*alive || !probes_.contains(uid)) return;
      probes_[uid][id].readiness = plan::pod::ProbeResult::success;
      changed();
    });
  }
}

const plan::pod::ProbeResults& FakeMaker::probe_results(std::string_view pod_uid) const {
  static const plan::pod::ProbeResults none;
  auto found = probes_.find(std::string(pod_uid));
  return found == probes_.end() ? none : found->second;
}

}  // namespace orch::test
