#pragma once
// ShimRuntime: PodRuntime over one shim a pod. Everything that blocks (files, cgroups, starting a process) is done on
// worker threads; what the shims tell comes in on the loop.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/log.h"
#include "linux/seccomp_filter.h"
#include "loop/scope.h"
#include "loop/uv_loop.h"
#include "runtime/pod_runtime.h"

namespace orch::runtime {

struct Sandbox;

struct RuntimeOptions {
  std::string run_dir;         // "/run/orch/<instance>"
  std::string containers_dir;  // "<data-dir>/agent/containers"
  std::string cgroup;          // the node's directory below the cgroup2 mount: "orch-<instance>"
};

// The first 12 hexadecimal digits of the SHA-256 of the data directory's real path.
std::string instance_of(const std::string& data_dir);

class ShimRuntime final : public PodRuntime {
 public:
  // Makes the directories and the node's cgroup. Blocking; before the loop runs. Code::io with advice.
  static Result<std::unique_ptr<ShimRuntime>> open(loop::UvLoop& loop, RuntimeOptions options, Logger logger);
  ~ShimRuntime() override;

  // Finds the shims of an earlier process again; what belongs to nobody is removed. To be awaited before anything else.
  loop::Task<void> adopt();

  // Controllers of cgroup v2 that limits are enforced with; without "memory", say, there is no OOM kill.
  const std::set<std::string>& controllers() const { return controllers_; }
  const std::string& node_cgroup() const { return node_cgroup_; }

  std::vector<SandboxState> list() const override;
  std::optional<SandboxState> find(std::string_view pod_uid) const override;
  void on_change(std::function<void(const std::string&)> listener) override { listener_ = std::move(listener); }
  loop::Task<SandboxState> create_sandbox(SandboxSpec spec) override;
  loop::Task<void> remove_sandbox(std::string pod_uid) override;
  loop::Task<ContainerState> start_container(ContainerSpec spec) override;
  loop::Task<void> kill_container(std::string pod_uid, std::string id, int signal) override;
  loop::Task<void> remove_container(std::string pod_uid, std::string id) override;
  loop::Task<void> update_container(std::string pod_uid, std::string id, Value resources) override;
  loop::Task<std::unique_ptr<CommandSession>> exec(std::string pod_uid, std::string id,
                                                   CommandRequest request) override;
  loop::Task<CommandOutput> exec_and_wait(std::string pod_uid, std::string id, std::vector<std::string> arguments,
                                          Duration limit, size_t max_bytes) override;
  loop::Task<std::unique_ptr<CommandSession>> attach(std::string pod_uid, std::string id) override;
  loop::Task<std::unique_ptr<loop::Stream>> connect(std::string pod_uid, std::string address, uint16_t port) override;
  loop::Task<ResourceUsage> usage(std::string pod_uid, std::string id) override;

 private:
  using SandboxPtr = std::shared_ptr<Sandbox>;
  ShimRuntime(loop::UvLoop& loop, RuntimeOptions options, Logger logger);

  loop::Task<SandboxPtr> running(std::string pod_uid) const;  // Code::not_found, or Code::closed where its shim died
  loop::Task<void> join(SandboxPtr sandbox);            // connects to its shim and asks for everything
  loop::Task<void> rejoin(SandboxPtr sandbox);          // after its connection was lost
  loop::Task<void> adopt_one(std::string directory);
  void watch_shim(const SandboxPtr& sandbox);
  void shim_ended(const SandboxPtr& sandbox);
  void changed(const Sandbox& sandbox);
  loop::Task<Value> config_of(SandboxPtr sandbox, std::string id);
  loop::Task<void> kill_exec(SandboxPtr sandbox, uint64_t key);
  loop::Task<void> resize(SandboxPtr sandbox, std::string id, TerminalSize size);
  loop::Task<std::unique_ptr<CommandSession>> run_in(SandboxPtr sandbox, std::string id, CommandRequest request);

  loop::UvLoop& loop_;
  RuntimeOptions options_;
  Logger logger_;
  std::string node_cgroup_;  // absolute
  std::set<std::string> controllers_;
  int program_ = -1;         // the shim's, sealed
  sys::SeccompCache filters_;
  std::map<std::string, SandboxPtr, std::less<>> sandboxes_;
  std::function<void(const std::string&)> listener_;
  loop::Scope scope_;        // last: its tasks use the others
};

}  // namespace orch::runtime
