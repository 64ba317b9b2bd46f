#pragma once
// A machine made of records: PodRuntime, ImageService, PodNetwork and PodMaker in memory, for the real
// agent to work on. The Machine is what outlives a crash of the program; what a reboot takes with it is
// said by reboot(). Containers run until a test ends them, or until they have run for their time.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/agent.h"

namespace orch::test {

struct FakeMachine {
  std::map<std::string, runtime::SandboxState> sandboxes;  // by pod uid
  std::map<std::string, std::string> addresses;            // pod uid -> ip
  std::map<std::string, agent::Checkpoint> checkpoints;
  std::set<std::string> directories;                       // pod uids
  std::set<std::string> images{"web:1", "web:2"};
  int next_address = 2;
  std::string network_block = "10.42.0.";

  Duration start_time = 20ms, stop_time = 10ms, ready_after = 0s;
  std::set<std::string> ignore_term;    // names of containers
  // Counted, for what tests want to see.
  uint64_t started = 0, killed = 0, created_sandboxes = 0, attached = 0, prepared = 0;

  std::function<void(const std::string&)> listener;
  void changed(const std::string& uid) {
    if (listener) listener(uid);
  }
  size_t live() const;
  runtime::ContainerState* find_live(const std::string& pod_name, const std::string& container);
  // The process ends by itself.
  void exit(loop::Loop& loop, const std::string& pod_name, const std::string& container, int code);
  void kill_shim(const std::string& pod_name);
  void reboot() { sandboxes.clear(); }
  // Nothing of any pod is left.
  bool is_clean() const { return sandboxes.empty() && addresses.empty() && directories.empty() && checkpoints.empty(); }
};

class FakeRuntime final : public runtime::PodRuntime {
 public:
  FakeRuntime(loop::Loop& loop, FakeMachine& machine) : loop_(loop), machine_(machine) {}
  ~FakeRuntime() override { machine_.listener = nullptr; }
  std::vector<runtime::SandboxState> list() const override;
  std::optional<runtime::SandboxState> find(std::string_view pod_uid) const override;
  void on_change(std::function<void(const std::string&)> listener) override { machine_.listener = std::move(listener); }
  loop::Task<runtime::SandboxState> create_sandbox(runtime::SandboxSpec spec) override;
  loop::Task<void> remove_sandbox(std::string pod_uid) override;
  loop::Task<runtime::ContainerState> start_container(runtime::ContainerSpec spec) override;
  loop::Task<void> kill_container(std::string pod_uid, std::string id, int signal) override;
  loop::Task<void> remove_container(std::string pod_uid, std::string id) override;
  loop::Task<void> update_container(std::string, std::string, Value) override { co_return; }
  loop::Task<std::unique_ptr<runtime::CommandSession>> exec(std::string, std::string, runtime::CommandRequest) override;
  loop::Task<runtime::CommandOutput> exec_and_wait(std::string, std::string, std::vector<std::string>, Duration, size_t) override;
  loop::Task<std::unique_ptr<runtime::CommandSession>> attach(std::string, std::string) override;
  loop::Task<std::unique_ptr<loop::Stream>> connect(std::string, std::string, uint16_t) override;
  loop::Task<runtime::ResourceUsage> usage(std::string, std::string) override;

 private:
  runtime::ContainerState* container(const std::string& uid, const std::string& id);
  loop::Loop& loop_;
  FakeMachine& machine_;
};

class FakeImages final : public runtime::ImageService {
 public:
  FakeImages(loop::Loop& loop, FakeMachine& machine) : loop_(loop), machine_(machine) {}
  std::optional<runtime::Image> find(std::string_view reference) const override;
  std::vector<runtime::Image> list() const override { return {}; }
  loop::Task<runtime::Image> pull(std::string reference, std::vector<runtime::RegistryCredentials>) override;
  loop::Task<void> remove(std::string reference) override;
  void set_in_use(std::vector<std::string> ids) override { in_use = std::move(ids); }
  loop::Task<DiskUsage> disk_usage() override { co_return usage; }
  loop::Task<int64_t> collect(int64_t bytes) override;

  DiskUsage usage;
  std::vector<std::string> in_use;
  int64_t asked_to_collect = 0;

 private:
  loop::Loop& loop_;
  FakeMachine& machine_;
};

class FakeNetwork final : public runtime::PodNetwork {
 public:
  FakeNetwork(loop::Loop& loop, FakeMachine& machine) : loop_(loop), machine_(machine) {}
  std::string not_ready_reason() const override { return ""; }
  loop::Task<runtime::PodAddresses> attach(runtime::PodNetworkRequest request) override;
  loop::Task<void> detach(std::string pod_uid) override;
  loop::Task<void> keep_only(std::vector<std::string> pod_uids) override;

 private:
  loop::Loop& loop_;
  FakeMachine& machine_;
};

class FakeMaker final : public agent::PodMaker {
 public:
  FakeMaker(loop::Loop& loop, FakeMachine& machine) : loop_(loop), machine_(machine) {}
  loop::Task<std::vector<agent::Checkpoint>> load_checkpoints() override;
  loop::Task<void> save_checkpoint(agent::Checkpoint checkpoint) override;
  loop::Task<std::optional<plan::pod::Failure>> prepare(plan::pod::PodView pod, plan::pod::ResolvedReferences references) override;
  loop::Task<void> addressed(plan::pod::PodView, std::vector<std::string>) override { co_return; }
  Result<runtime::SandboxSpec> sandbox_spec(const plan::pod::PodView& pod, uint32_t attempt) override;
  loop::Task<runtime::ContainerSpec> container_spec(agent::ContainerRequest request) override;
  loop::Task<void> run_hook(plan::pod::PodView, plan::pod::ContainerView, std::string, Value, std::vector<std::string>, Duration) override { co_return; }
  loop::Task<std::string> termination_message(plan::pod::PodView, plan::pod::ContainerView, uint32_t, bool) override { co_return std::string(); }
  loop::Task<void> remove_log(plan::pod::PodView, std::string, uint32_t) override { co_return; }
  loop::Task<void> remove_files(std::string pod_uid, std::string, std::string) override;
  loop::Task<void> remove_files_except(std::vector<std::string> pod_uids) override;
  void watch_probes(const plan::pod::PodView&, const plan::pod::SandboxRecord* sandbox, const std::vector<std::string>&,
                    std::function<void()> changed) override;
  const plan::pod::ProbeResults& probe_results(std::string_view pod_uid) const override;
  void stop_probes(std::string_view pod_uid) override { probes_.erase(std::string(pod_uid)); }

 private:
  loop::Loop& loop_;
  FakeMachine& machine_;
  std::map<std::string, plan::pod::ProbeResults> probes_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

 public:
  ~FakeMaker() override { *alive_ = false; }
};

// The program on the machine: gone with a crash.
struct FakeNode {
  FakeNode(loop::Loop& loop, client::ApiPort& api, FakeMachine& machine, Random& random, agent::Options options)
      : runtime(loop, machine), images(loop, machine), network(loop, machine), maker(loop, machine),
        agent(agent::start({loop, api, runtime, images, network, maker, random}, Logger::discard(), std::move(options))) {}
  FakeRuntime runtime;
  FakeImages images;
  FakeNetwork network;
  FakeMaker maker;
  std::unique_ptr<agent::Agent> agent;
};

}  // namespace orch::test
