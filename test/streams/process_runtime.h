#pragma once
// A PodRuntime whose containers are processes of this machine, without any isolation: for tests of everything
// that streams. Logs are written in the CRI format; terminals come from script(1).

#include <map>

#include "loop/process.h"
#include "loop/scope.h"
#include "loop/uv_loop.h"
#include "loop/uv_network.h"
#include "runtime/pod_runtime.h"

namespace orch::test {

class ProcessRuntime final : public runtime::PodRuntime {
 public:
  ProcessRuntime(loop::UvLoop& loop, std::string log_directory)
      : loop_(loop), network_(loop), log_directory_(std::move(log_directory)), scope_(loop) {}

  // A container of the pod that runs `arguments`; its log is <directory>/<container>/<attempt>.log.
  void add(const std::string& pod_uid, const std::string& pod_directory, const std::string& container,
           std::vector<std::string> arguments, uint32_t attempt);

  std::vector<runtime::SandboxState> list() const override;
  std::optional<runtime::SandboxState> find(std::string_view pod_uid) const override;
  void on_change(std::function<void(const std::string&)> listener) override { listener_ = std::move(listener); }
  loop::Task<runtime::SandboxState> create_sandbox(runtime::SandboxSpec) override;
  loop::Task<void> remove_sandbox(std::string) override;
  loop::Task<runtime::ContainerState> start_container(runtime::ContainerSpec) override;
  loop::Task<void> kill_container(std::string, std::string, int) override;
  loop::Task<void> remove_container(std::string, std::string) override;
  loop::Task<void> update_container(std::string, std::string, Value) override;
  loop::Task<std::unique_ptr<runtime::CommandSession>> exec(std::string, std::string, runtime::CommandRequest) override;
  loop::Task<runtime::CommandOutput> exec_and_wait(std::string, std::string, std::vector<std::string>, Duration,
                                                   size_t) override;
  loop::Task<std::unique_ptr<runtime::CommandSession>> attach(std::string, std::string) override;
  loop::Task<std::unique_ptr<loop::Stream>> connect(std::string, std::string, uint16_t) override;
  loop::Task<runtime::ResourceUsage> usage(std::string, std::string) override;

 private:
  struct Container;
  loop::Task<void> run(std::string pod_uid, std::shared_ptr<Container> container);
  void write_log(Container& container, std::string_view stream, std::string_view bytes);

  loop::UvLoop& loop_;
  loop::UvNetwork network_;
  std::string log_directory_;
  std::function<void(const std::string&)> listener_;
  std::map<std::string, runtime::SandboxState, std::less<>> pods_;
  std::map<std::string, std::shared_ptr<Container>> containers_;  // by id
  loop::Scope scope_;
};

}  // namespace orch::test
