#pragma once
// DiskPodMaker: the PodMaker of a real node, over plan/pod's ingredients and the disk.

#include <map>
#include <memory>

#include "agent/handlers.h"
#include "agent/pod_files.h"
#include "agent/pod_maker.h"
#include "agent/prober.h"
#include "base/log.h"
#include "loop/loop.h"
#include "plan/pod/downward.h"
#include "plan/pod/resolv_conf.h"

namespace orch::agent {

struct MakerOptions {
  std::string directory;  // <data-dir>/agent
  plan::pod::DnsSettings dns;
  std::vector<std::string> node_ips;
  std::string node_hostname;
  std::string seccomp_directory;  // of localhost profiles
};

class DiskPodMaker final : public PodMaker {
 public:
  struct Parts {
    loop::Loop& loop;
    loop::Network& network;  // for probes and hooks
    runtime::PodRuntime& runtime;
    Logger log;
    std::function<Value()> allocatable;  // node.status.allocatable as it is then
    std::function<void(const plan::pod::PodView&, const plan::Note&)> tell;  // an event about a pod
  };
  DiskPodMaker(Parts parts, MakerOptions options);

  loop::Task<std::vector<Checkpoint>> load_checkpoints() override;
  loop::Task<void> save_checkpoint(Checkpoint checkpoint) override;
  loop::Task<std::optional<plan::pod::Failure>> prepare(plan::pod::PodView pod, plan::pod::ResolvedReferences references) override;
  loop::Task<void> addressed(plan::pod::PodView pod, std::vector<std::string> ips) override;
  Result<runtime::SandboxSpec> sandbox_spec(const plan::pod::PodView& pod, uint32_t attempt) override;
  loop::Task<runtime::ContainerSpec> container_spec(ContainerRequest request) override;
  loop::Task<void> run_hook(plan::pod::PodView pod, plan::pod::ContainerView container, std::string container_id,
                            Value handler, std::vector<std::string> pod_ips, Duration limit) override;
  loop::Task<std::string> termination_message(plan::pod::PodView pod, plan::pod::ContainerView container, uint32_t attempt,
                                              bool failed) override;
  loop::Task<void> remove_log(plan::pod::PodView pod, std::string container, uint32_t attempt) override;
  loop::Task<void> remove_files(std::string pod_uid, std::string ns, std::string name) override;
  loop::Task<void> remove_files_except(std::vector<std::string> pod_uids) override;
  void watch_probes(const plan::pod::PodView& pod, const plan::pod::SandboxRecord* sandbox, const std::vector<std::string>& pod_ips,
                    std::function<void()> changed) override;
  const plan::pod::ProbeResults& probe_results(std::string_view pod_uid) const override;
  void stop_probes(std::string_view pod_uid) override;

  const plan::pod::NodePaths& paths() const { return files_.paths(); }

 private:
  plan::pod::Surroundings surroundings(std::vector<std::string> pod_ips) const;
  loop::Loop& loop_;
  MakerOptions options_;
  std::function<Value()> allocatable_;
  Logger log_;
  PodFiles files_;
  Handlers handlers_;
  Prober prober_;  // uses the handlers
};

}  // namespace orch::agent
