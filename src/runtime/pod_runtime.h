#pragma once
// PodRuntime: pods and containers as the node agent sees them. The implementation drives one shim per pod
// (shim_runtime.h); tests have one in memory. On the loop's thread; every call may be repeated, and none
// of them is lost by a restart of the process: list() finds again what the shims hold.
//
// Words are CRI's. A sandbox is a pod's shim with its namespaces and cgroup; a container belongs to one
// sandbox, and each restart of it is a new container with a new id and attempt number.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "data/value.h"
#include "loop/stream.h"
#include "loop/task.h"

namespace orch::runtime {

// A tmpfs that the containers of a pod share (emptyDir with medium Memory). It is mounted at `path` in the
// sandbox's own mount namespace, so that it goes with the sandbox and the host never sees it.
struct SharedMemoryVolume {
  std::string path;        // an existing directory of the host
  int64_t size_bytes = 0;  // 0: as the kernel decides
};

struct SandboxSpec {
  std::string pod_uid, ns, name;
  uint32_t attempt = 0;
  std::string hostname, domainname;
  bool host_network = false, host_pid = false, host_ipc = false;
  bool share_process_namespace = false;
  std::vector<std::pair<std::string, std::string>> sysctls;  // of the pod's own namespaces
  std::string cgroup;                // below the node's: "burstable/pod<uid>"
  Value resources;                   // linux.resources of an OCI configuration, for the pod's cgroup; null: none
  std::vector<SharedMemoryVolume> shared_memory;
  std::optional<int> oom_score_adj;  // of the shim itself
};

enum class ContainerPhase : uint8_t { created, running, exited };

struct ContainerState {
  std::string id;    // 64 hexadecimal digits
  std::string name;  // of the container in the pod
  uint32_t attempt = 0;
  ContainerPhase phase = ContainerPhase::created;
  int pid = 0;       // in the host's pid namespace; 0 unless running
  int exit_code = 0;  // 128 + signal where a signal ended it
  int signal = 0;
  bool oom_killed = false;
  // Why it never ran: "exec: \"nope\": executable file not found in $PATH"; then exit_code is 127, 126 or 128
  // (runc's), phase is exited.
  std::string start_error;
  Instant created_at, started_at, finished_at;
  std::string image_id;  // what start_container() was told, so that a restarted agent knows
  std::string spec_hash;
};

struct SandboxState {
  std::string pod_uid, ns, name;
  uint32_t attempt = 0;
  bool alive = true;        // false: its shim died; nothing of it runs, remove_sandbox() cleans up
  int shim_pid = 0;
  std::string network_namespace;  // a path to open, "/proc/<pid>/ns/net"; "" on the host's network
  Instant created_at;
  std::vector<ContainerState> containers;  // in the order they were started, exited ones too until removed
};

struct ContainerSpec {
  std::string pod_uid;
  std::string id, name;
  uint32_t attempt = 0;
  // An OCI runtime configuration (config.json). root.path is ignored: the root is an overlay of `layers`, topmost
  // first, with a writable layer of the container's own.
  Value config;
  std::vector<std::string> layers;
  std::string log_path;            // absolute; CRI format
  int64_t log_max_bytes = 10 << 20;
  int log_max_files = 5;
  bool input = false;              // stdin stays open for attach
  bool input_once = false;
  bool terminal = false;
  std::string image_id, spec_hash;  // kept for ContainerState
};

struct TerminalSize {
  uint16_t columns = 80, rows = 24;
};

// A process started by exec, or a container attached to.
class CommandSession {
 public:
  virtual ~CommandSession() = default;  // of an exec: its process gets SIGKILL
  enum class Channel : uint8_t { output, error };
  struct Piece {
    Channel channel;
    std::string bytes;  // "": everything has been read
  };
  virtual loop::Task<Piece> read() = 0;
  virtual loop::Task<void> write(std::string input) = 0;
  virtual loop::Task<void> close_input() = 0;
  virtual void resize(TerminalSize size) = 0;
  // The exit code (128 + signal). Of an attach: the container's, once it ends.
  virtual loop::Task<int> wait() = 0;
};

struct CommandRequest {
  std::vector<std::string> arguments;
  bool input = false, terminal = false;
  TerminalSize size;
};

struct CommandOutput {
  int exit_code = 0;
  std::string text;  // output and error together, cut at the limit
};

// cgroup v2's figures; what the kernel does not account is absent.
struct ResourceUsage {
  std::optional<uint64_t> cpu_ns;            // since start
  std::optional<uint64_t> memory_bytes;      // memory.current
  std::optional<uint64_t> working_set_bytes;  // less inactive_file, as kubelet counts
  std::optional<uint64_t> processes;
};

class PodRuntime {
 public:
  virtual ~PodRuntime() = default;

  virtual std::vector<SandboxState> list() const = 0;
  virtual std::optional<SandboxState> find(std::string_view pod_uid) const = 0;
  // Called on the loop after anything about the pod has changed. One listener.
  virtual void on_change(std::function<void(const std::string& pod_uid)> listener) = 0;

  // Code::already_exists while an older sandbox of the pod has not been removed.
  virtual loop::Task<SandboxState> create_sandbox(SandboxSpec spec) = 0;
  // Kills what runs, ends the shim, removes cgroup, namespaces, sockets and writable layers (not logs, not
  // volumes). Succeeds where there is nothing.
  virtual loop::Task<void> remove_sandbox(std::string pod_uid) = 0;

  // Returns once the container's program has been executed (or could not be: see start_error).
  virtual loop::Task<ContainerState> start_container(ContainerSpec spec) = 0;
  // To its first process; SIGKILL goes to the whole container (cgroup.kill). Gone already: success.
  virtual loop::Task<void> kill_container(std::string pod_uid, std::string id, int signal) = 0;
  // Forgets an exited container and removes its writable layer.
  virtual loop::Task<void> remove_container(std::string pod_uid, std::string id) = 0;
  // Changes limits in place (OCI linux.resources).
  virtual loop::Task<void> update_container(std::string pod_uid, std::string id, Value resources) = 0;

  virtual loop::Task<std::unique_ptr<CommandSession>> exec(std::string pod_uid, std::string id,
                                                           CommandRequest request) = 0;
  // Code::timeout (and the process killed) when it takes longer.
  virtual loop::Task<CommandOutput> exec_and_wait(std::string pod_uid, std::string id,
                                                  std::vector<std::string> arguments, Duration limit,
                                                  size_t max_bytes) = 0;
  virtual loop::Task<std::unique_ptr<CommandSession>> attach(std::string pod_uid, std::string id) = 0;
  // A TCP connection from inside the pod's network namespace to one of its ports.
  virtual loop::Task<std::unique_ptr<loop::Stream>> connect(std::string pod_uid, std::string address,
                                                            uint16_t port) = 0;
  virtual loop::Task<ResourceUsage> usage(std::string pod_uid, std::string id) = 0;  // id "": the whole pod
};

}  // namespace orch::runtime
