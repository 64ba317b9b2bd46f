#pragma once
// PodMaker: what a pod is made from, on this node: files below its directory, the runtime's specs, hooks
// and probes. The driver (pod_worker.h) decides when; disk_pod_maker.h does it for real, tests have one
// that only counts. On the loop's thread.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loop/task.h"
#include "plan/pod/outcomes.h"
#include "plan/pod/pod_view.h"
#include "plan/pod/references.h"
#include "plan/pod/situation.h"
#include "runtime/image_service.h"
#include "runtime/pod_runtime.h"

namespace orch::agent {

// A pod as it was kept on disk.
struct Checkpoint {
  Value pod;
  plan::pod::ResolvedReferences references;
};

struct ContainerRequest {
  plan::pod::PodView pod;
  plan::pod::ContainerView container;
  plan::pod::ResolvedReferences references;
  runtime::Image image;
  std::vector<std::string> pod_ips;
  std::string id;
  uint32_t attempt = 0;
};

class PodMaker {
 public:
  virtual ~PodMaker() = default;

  virtual loop::Task<std::vector<Checkpoint>> load_checkpoints() = 0;
  virtual loop::Task<void> save_checkpoint(Checkpoint checkpoint) = 0;

  // Makes or refreshes the pod's directory: volumes, hosts file, resolv.conf. What keeps it from that is a
  // Failure with the volume as its subject, never an Error of the Task.
  virtual loop::Task<std::optional<plan::pod::Failure>> prepare(plan::pod::PodView pod,
                                                                plan::pod::ResolvedReferences references) = 0;
  // Once the pod's addresses are known (and before its first container): /etc/hosts has them.
  virtual loop::Task<void> addressed(plan::pod::PodView pod, std::vector<std::string> ips) = 0;

  virtual Result<runtime::SandboxSpec> sandbox_spec(const plan::pod::PodView& pod, uint32_t attempt) = 0;
  // Code::invalid: the pod asks for what cannot be (CreateContainerConfigError).
  virtual loop::Task<runtime::ContainerSpec> container_spec(ContainerRequest request) = 0;

  // lifecycle.postStart and preStop: `handler` is the LifecycleHandler. Fails as its exec or request does.
  virtual loop::Task<void> run_hook(plan::pod::PodView pod, plan::pod::ContainerView container, std::string container_id,
                                    Value handler, std::vector<std::string> pod_ips, Duration limit) = 0;

  // state.terminated.message of a container that has ended, by its terminationMessagePath and -Policy.
  virtual loop::Task<std::string> termination_message(plan::pod::PodView pod, plan::pod::ContainerView container,
                                                      uint32_t attempt, bool failed) = 0;
  // The log files of one attempt.
  virtual loop::Task<void> remove_log(plan::pod::PodView pod, std::string container, uint32_t attempt) = 0;
  // The pod's directory and logs.
  virtual loop::Task<void> remove_files(std::string pod_uid, std::string ns, std::string name) = 0;
  // Directories and logs of other pods than these, left over by a crash.
  virtual loop::Task<void> remove_files_except(std::vector<std::string> pod_uids) = 0;

  // Probes of the containers that run now; `changed` is called when a result does. Told again whenever
  // containers have come or gone; those that are gone are forgotten. `results` are of the last call.
  virtual void watch_probes(const plan::pod::PodView& pod, const plan::pod::SandboxRecord* sandbox,
                            const std::vector<std::string>& pod_ips, std::function<void()> changed) = 0;
  virtual const plan::pod::ProbeResults& probe_results(std::string_view pod_uid) const = 0;
  virtual void stop_probes(std::string_view pod_uid) = 0;
};

}  // namespace orch::agent
