#pragma once
// One pod at the runtime: what is known of its shim and containers, and the files below /run that say it again after a
// restart. Room-private; shim_runtime.cpp owns these.

#include <map>
#include <memory>
#include <set>
#include <string>

#include "runtime/command_session.h"
#include "runtime/pod_runtime.h"
#include "runtime/shim_connection.h"

namespace orch::runtime {

struct Sandbox {
  explicit Sandbox(loop::UvLoop& loop) : gone(loop) {}

  SandboxState state;
  std::string directory;  // /run/orch/<instance>/pods/<uid>
  std::string cgroup;     // absolute
  bool host_network = false, host_pid = false, host_ipc = false;
  int pause_pid = 0;      // of a shared pid namespace
  sys::Fd pidfd;
  std::unique_ptr<loop::FdWatch> watch;
  std::unique_ptr<ShimConnection> connection;
  loop::Event gone;       // the shim's process has ended
  std::map<uint64_t, std::weak_ptr<ExecExit>> execs;  // by the shim's key
  std::multimap<std::string, std::weak_ptr<ExecExit>> attached;  // by container id
  std::map<std::string, Value> configs;               // OCI, by container id; read again from disk after a restart
  bool joined = false;    // the connection stands
  bool removing = false;

  std::string socket() const { return directory + "/shim.sock"; }
  std::string shm() const { return directory + "/shm"; }
  std::string container_cgroup(const std::string& id) const { return cgroup + "/" + id; }
  ContainerState* find(std::string_view id);
  void end_attached(const std::string& id, int code);
};

// The steps that make a sandbox: cgroup, namespaces, names, shared memory.
std::string sandbox_steps(const SandboxSpec& spec, const Sandbox& sandbox, const std::set<std::string>& controllers);

// <directory>/sandbox.json
Value sandbox_record(const SandboxSpec& spec, const Sandbox& sandbox);
void restore_sandbox(const Value& record, Sandbox& sandbox);

// A container's configuration as its place in the pod asks for: the namespaces that its shim holds are inherited,
// /dev/shm is the pod's.
Value container_config(const Value& config, const Sandbox& sandbox);

}  // namespace orch::runtime
