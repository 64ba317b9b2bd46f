#include "runtime/sandbox.h"

// MS_*; the runtime mounts nothing itself.
#include <linux/mount.h>
#include <linux/sched.h>

#include "plan/oci/compile.h"
#include "steps/step.h"

namespace orch::runtime {

using steps::Op;
using steps::Step;

namespace {

// kubelet's and containerd's size of a pod's /dev/shm.
constexpr std::string_view kSharedMemory = "mode=1777,size=65536k";

void add_memory_volumes(steps::Steps& steps, const SandboxSpec& spec, const Sandbox& sandbox) {
  if (!spec.host_ipc) {
    steps.push_back(Step{Op::mount, {MS_NOSUID | MS_NODEV | MS_NOEXEC, 0}, {"shm", sandbox.shm(), "tmpfs", std::string(kSharedMemory)}});
  }
  for (const SharedMemoryVolume& volume : spec.shared_memory) {
    std::string data = "mode=0777";
    if (volume.size_bytes > 0) data += ",size=" + std::to_string(volume.size_bytes);
    steps.push_back(Step{Op::mount, {MS_NOSUID | MS_NODEV, 0}, {"tmpfs", volume.path, "tmpfs", data}});
  }
}

}  // namespace

ContainerState* Sandbox::find(std::string_view id) {
  for (ContainerState& container : state.containers) {
    if (container.id == id) return &container;
  }
  return nullptr;
}

void Sandbox::end_attached(const std::string& id, int code) {
  const auto [first, last] = attached.equal_range(id);
  for (auto at = first; at != last; ++at) {
    auto exit = at->second.lock();
    if (!exit) continue;
    exit->code = code;
    exit->ended.set();
  }
  attached.erase(first, last);
}

std::string sandbox_steps(const SandboxSpec& spec, const Sandbox& sandbox, const std::set<std::string>& controllers) {
  steps::Steps steps;
  steps.push_back(Step{Op::make_cgroup, {}, {sandbox.cgroup}});
  for (Step& step : plan::oci::compile_resources(spec.resources, sandbox.cgroup, {controllers})) steps.push_back(std::move(step));
  // Processes may only be in leaves of the tree (cgroup-v2.rst, "No Internal Process Constraint").
  const std::string own = sandbox.cgroup + "/_shim";
  steps.push_back(Step{Op::make_cgroup, {}, {own}});
  steps.push_back(Step{Op::write_file, {}, {own + "/cgroup.procs", "0"}});
  if (spec.oom_score_adj) {
    steps.push_back(tolerate(Step{Op::oom_score, {static_cast<uint64_t>(int64_t{*spec.oom_score_adj})}, {}}));
  }
  uint64_t flags = CLONE_NEWNS | CLONE_NEWUTS;
  if (!spec.host_network) flags |= CLONE_NEWNET;
  if (!spec.host_ipc) flags |= CLONE_NEWIPC;
  steps.push_back(Step{Op::unshare, {flags}, {}});
  steps.push_back(Step{Op::propagation, {MS_SLAVE | MS_REC}, {}});
  if (!spec.hostname.empty()) steps.push_back(Step{Op::hostname, {}, {spec.hostname}});
  if (!spec.domainname.empty()) steps.push_back(Step{Op::domainname, {}, {spec.domainname}});
  for (const auto& [name, value] : spec.sysctls) steps.push_back(Step{Op::sysctl, {}, {name, value}});
  steps.push_back(Step{Op::root, {}, {"/"}});
  add_memory_volumes(steps, spec, sandbox);
  return steps::encode_steps(steps);
}

Value sandbox_record(const SandboxSpec& spec, const Sandbox& sandbox) {
  return Value::object({{"uid", spec.pod_uid},
                        {"namespace", spec.ns},
                        {"name", spec.name},
                        {"attempt", spec.attempt},
                        {"pid", sandbox.state.shim_pid},
                        {"pausePid", sandbox.pause_pid},
                        {"cgroup", sandbox.cgroup},
                        {"hostNetwork", spec.host_network},
                        {"hostPID", spec.host_pid},
                        {"hostIPC", spec.host_ipc},
                        {"created", sandbox.state.created_at.ns}});
}

void restore_sandbox(const Value& record, Sandbox& sandbox) {
  sandbox.state.pod_uid = record["uid"].as_string();
  sandbox.state.ns = record["namespace"].as_string();
  sandbox.state.name = record["name"].as_string();
  sandbox.state.attempt = static_cast<uint32_t>(record["attempt"].as_int());
  sandbox.state.shim_pid = static_cast<int>(record["pid"].as_int());
  sandbox.state.created_at = Instant{record["created"].as_int()};
  sandbox.pause_pid = static_cast<int>(record["pausePid"].as_int());
  sandbox.cgroup = record["cgroup"].as_string();
  sandbox.host_pid = record["hostPID"].as_bool();
  sandbox.host_ipc = record["hostIPC"].as_bool();
  sandbox.host_network = record["hostNetwork"].as_bool();
  if (!sandbox.host_network && sandbox.state.shim_pid > 0) {
    sandbox.state.network_namespace = "/proc/" + std::to_string(sandbox.state.shim_pid) + "/ns/net";
  }
}

Value container_config(const Value& config, const Sandbox& sandbox) {
  std::vector<Value> namespaces;
  namespaces.push_back(Value::object({{"type", "mount"}}));
  namespaces.push_back(Value::object({{"type", "cgroup"}}));
  if (sandbox.pause_pid > 0) {
    const std::string path = "/proc/" + std::to_string(sandbox.pause_pid) + "/ns/pid";
    namespaces.push_back(Value::object({{"type", "pid"}, {"path", path}}));
  } else if (!sandbox.host_pid) {
    namespaces.push_back(Value::object({{"type", "pid"}}));
  }
  std::vector<Value> mounts;
  for (const Value& mount : config["mounts"].items()) {
    const bool shared_memory = mount["destination"].as_string() == "/dev/shm" && mount["type"].as_string() == "tmpfs";
    if (!shared_memory) {
      mounts.push_back(mount);
      continue;
    }
    const std::string source = sandbox.host_ipc ? "/dev/shm" : sandbox.shm();
    Value options = Value::list({Value("rbind"), Value("nosuid"), Value("nodev"), Value("noexec")});
    mounts.push_back(Value::object({{"destination", "/dev/shm"}, {"type", "bind"}, {"source", source}, {"options", options}}));
  }
  Value result = config.with("mounts", Value::list(std::move(mounts)));
  result = result.with_path({"linux", "namespaces"}, Value::list(std::move(namespaces)));
  // Names and sysctls are the sandbox's.
  result = result.without("hostname").without("domainname");
  return result.with_path({"linux", "sysctl"}, std::nullopt);
}

}  // namespace orch::runtime
