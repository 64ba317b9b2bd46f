#include "runtime/shim_runtime.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>

#include "data/hash.h"
#include "data/json.h"
#include "loop/files.h"
#include "loop/timeout.h"
#include "plan/oci/compile.h"
#include "runtime/cgroups.h"
#include "runtime/sandbox.h"
#include "runtime/shim_launcher.h"
#include "runtime/shim_program.h"
#include "steps/step.h"

namespace orch::runtime {

using loop::Task;
using steps::Kind;

namespace {

namespace fs = std::filesystem;

constexpr Duration kShutdownTime = 5s;
constexpr Duration kRemoveRetry = 5ms;
constexpr Duration kRejoinPause = 100ms;
constexpr int kRemoveTries = 2000;

Result<void> make_directories(const std::string& path, unsigned mode) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return Error::from_errno(error.value(), "mkdir " + path);
  if (::chmod(path.c_str(), mode) != 0) return Error::from_errno(errno, "chmod " + path);
  return {};
}

Result<void> remove_tree(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) return Error::from_errno(error.value(), "remove " + path);
  return {};
}

std::vector<std::string> entries_of(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) names.push_back(entry.path().filename().string());
  return names;
}

// Files below /run need no fsync: they are gone after a power cut anyway.
Result<void> write_plain(const std::string& path, std::string_view text) {
  sys::Fd file(::open((path + ".new").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file.ok()) return Error::from_errno(errno, "create " + path);
  if (const int error = sys::write_all(file.get(), text)) return Error::from_errno(error, "write " + path);
  if (::rename((path + ".new").c_str(), path.c_str()) != 0) return Error::from_errno(errno, "rename " + path);
  return {};
}

// After a reboot nothing runs; the files below /run are stale where that is no tmpfs.
Result<void> forget_other_boots(const RuntimeOptions& options) {
  TRY(std::string boot, loop::read_file_now("/proc/sys/kernel/random/boot_id"));
  const std::string file = options.run_dir + "/boot_id";
  auto known = loop::read_file_now(file);
  if (known.ok() && *known == boot) return {};
  TRY_VOID(remove_tree(options.run_dir + "/pods"));
  TRY_VOID(make_directories(options.run_dir + "/pods", 0700));
  return write_plain(file, boot);
}

ContainerState read_container(steps::Unpacker message) {
  ContainerState c;
  c.id = message.text();
  c.name = message.text();
  c.attempt = static_cast<uint32_t>(message.number());
  c.phase = static_cast<ContainerPhase>(message.number());
  c.pid = static_cast<int>(message.number());
  c.exit_code = static_cast<int>(message.number());
  c.signal = static_cast<int>(message.number());
  c.oom_killed = message.number() != 0;
  c.created_at = Instant{static_cast<int64_t>(message.number())};
  c.started_at = Instant{static_cast<int64_t>(message.number())};
  c.finished_at = Instant{static_cast<int64_t>(message.number())};
  c.image_id = message.text();
  c.spec_hash = message.text();
  c.start_error = message.text();
  if (c.phase != ContainerPhase::running) c.pid = 0;
  return c;
}

void put_container(SandboxState& state, ContainerState container) {
  for (ContainerState& known : state.containers) {
    if (known.id != container.id) continue;
    known = std::move(container);
    return;
  }
  state.containers.push_back(std::move(container));
}

}  // namespace

std::string instance_of(const std::string& data_dir) {
  std::error_code error;
  const fs::path real = fs::weakly_canonical(data_dir, error);
  return sha256_hex(error ? data_dir : real.string()).substr(0, 12);
}

ShimRuntime::ShimRuntime(loop::UvLoop& loop, RuntimeOptions options, Logger logger)
    : loop_(loop), options_(std::move(options)), logger_(std::move(logger)), scope_(loop) {}

ShimRuntime::~ShimRuntime() {
  if (program_ >= 0) ::close(program_);
}

Result<std::unique_ptr<ShimRuntime>> ShimRuntime::open(loop::UvLoop& loop, RuntimeOptions options, Logger logger) {
  std::unique_ptr<ShimRuntime> runtime(new ShimRuntime(loop, std::move(options), std::move(logger)));
  TRY_VOID(make_directories(runtime->options_.run_dir + "/pods", 0700));
  TRY_VOID(make_directories(runtime->options_.containers_dir, 0711));
  TRY_VOID(forget_other_boots(runtime->options_));
  TRY(CgroupMount mount, open_cgroup_mount());
  runtime->node_cgroup_ = mount.path + "/" + runtime->options_.cgroup;
  TRY(runtime->controllers_, make_node_cgroup(mount, runtime->node_cgroup_));
  TRY(sys::Fd program, open_shim_program());
  runtime->program_ = program.release();
  return runtime;
}

// --- What is there ------------------------------------------------------------------

std::vector<SandboxState> ShimRuntime::list() const {
  std::vector<SandboxState> states;
  for (const auto& [uid, sandbox] : sandboxes_) states.push_back(sandbox->state);
  return states;
}

std::optional<SandboxState> ShimRuntime::find(std::string_view pod_uid) const {
  const auto at = sandboxes_.find(pod_uid);
  if (at == sandboxes_.end()) return std::nullopt;
  return at->second->state;
}

void ShimRuntime::changed(const Sandbox& sandbox) {
  if (listener_) listener_(sandbox.state.pod_uid);
}

Task<ShimRuntime::SandboxPtr> ShimRuntime::running(std::string pod_uid) const {
  const auto at = sandboxes_.find(pod_uid);
  if (at == sandboxes_.end()) co_await loop::fail(Error::make(Code::not_found, "the pod has no sandbox"));
  if (!at->second->state.alive || !at->second->connection) {
    co_await loop::fail(Error::make(Code::closed, "the pod's sandbox has died"));
  }
  co_return at->second;
}

// --- Shims --------------------------------------------------------------------------

void ShimRuntime::watch_shim(const SandboxPtr& sandbox) {
  sandbox->pidfd.reset(sys::pidfd_open(sandbox->state.shim_pid));
  if (!sandbox->pidfd.ok()) {
    shim_ended(sandbox);
    return;
  }
  auto ended = [this, weak = std::weak_ptr<Sandbox>(sandbox)] {
    if (auto strong = weak.lock()) shim_ended(strong);
  };
  sandbox->watch = std::make_unique<loop::FdWatch>(loop_, sandbox->pidfd.get(), ended);
}

void ShimRuntime::shim_ended(const SandboxPtr& sandbox) {
  sandbox->watch.reset();
  // Ours only if we started it; an adopted one is init's.
  ::waitpid(sandbox->state.shim_pid, nullptr, WNOHANG);
  sandbox->state.alive = false;
  for (auto& [key, exit] : sandbox->execs) {
    if (auto strong = exit.lock()) strong->ended.set();
  }
  for (ContainerState& container : sandbox->state.containers) {
    if (container.phase == ContainerPhase::exited) continue;
    // Nobody is left who could say how it ended (kubelet: ContainerStatusUnknown).
    container.phase = ContainerPhase::exited;
    container.pid = 0;
    container.exit_code = 137;
    sandbox->end_attached(container.id, container.exit_code);
    container.finished_at = loop_.wall();
  }
  sandbox->gone.set();
  if (!sandbox->removing) logger_.warn("the shim of a pod has died", {{"pod", sandbox->state.ns + "/" + sandbox->state.name}});
  changed(*sandbox);
}

Task<void> ShimRuntime::join(SandboxPtr sandbox) {
  auto socket = connect_shim(sandbox->socket());
  if (!socket.ok()) co_await loop::fail(socket.error());
  auto on_event = [this, weak = std::weak_ptr<Sandbox>(sandbox)](steps::Unpacker message) {
    auto strong = weak.lock();
    if (!strong) return;
    if (message.kind() == Kind::exec_exited) {
      const auto exec = strong->execs.find(message.number());
      if (exec == strong->execs.end()) return;
      if (auto exit = exec->second.lock()) {
        exit->code = static_cast<int>(message.number());
        exit->ended.set();
      }
      strong->execs.erase(exec);
    } else if (message.kind() == Kind::container) {
      ContainerState container = read_container(message);
      if (container.phase == ContainerPhase::exited) strong->end_attached(container.id, container.exit_code);
      put_container(strong->state, std::move(container));
      changed(*strong);
    }
  };
  auto on_closed = [this, weak = std::weak_ptr<Sandbox>(sandbox)] {
    auto strong = weak.lock();
    if (!strong || !strong->state.alive || strong->removing || !strong->joined) return;
    strong->joined = false;
    // Exits of execs are told once only.
    for (auto& [key, exit] : strong->execs) {
      if (auto still = exit.lock()) still->ended.set();
    }
    strong->execs.clear();
    scope_.spawn(rejoin(strong));
  };
  sandbox->connection = std::make_unique<ShimConnection>(loop_, std::move(*socket), on_event, on_closed);
  ShimConnection::Fields version = [](steps::Packer& packer) { packer.number(steps::kProtocolVersion); };
  ShimConnection::Answer hello = co_await sandbox->connection->call(Kind::hello, version);
  sandbox->joined = true;
  steps::Unpacker message = hello.unpack();
  message.number();  // its version; fields are only ever added
  sandbox->state.shim_pid = static_cast<int>(message.number());
  sandbox->pause_pid = static_cast<int>(message.number());
  if (!sandbox->host_network) sandbox->state.network_namespace = "/proc/" + std::to_string(sandbox->state.shim_pid) + "/ns/net";
}

// A shim lets go who does not read what it tells (or this process was too busy): what was missed is asked for.
Task<void> ShimRuntime::rejoin(SandboxPtr sandbox) {
  while (sandbox->state.alive && !sandbox->removing) {
    Result<void> joined = co_await join(sandbox).result();
    if (joined.ok()) co_return;
    co_await loop::sleep(loop_, kRejoinPause);
  }
}

Task<void> ShimRuntime::adopt() {
  auto find_all = [path = options_.run_dir + "/pods"] { return entries_of(path); };
  std::vector<std::string> names = co_await loop::offload(loop_, find_all);
  for (const std::string& name : names) {
    Result<void> adopted = co_await adopt_one(options_.run_dir + "/pods/" + name).result();
    if (!adopted.ok()) logger_.warn("a pod of an earlier run cannot be read", {{"pod", name}, {"error", adopted.error().message()}});
  }
  // Writable layers that no container has: of a process that died between two steps, or before a reboot.
  std::set<std::string> known;
  for (const auto& [uid, sandbox] : sandboxes_) {
    for (const ContainerState& container : sandbox->state.containers) known.insert(container.id);
  }
  auto clean = [known, path = options_.containers_dir]() -> Result<void> {
    for (const std::string& name : entries_of(path)) {
      if (!known.contains(name)) TRY_VOID(remove_tree(path + "/" + name));
    }
    return {};
  };
  Result<void> cleaned = co_await loop::offload(loop_, clean);
  if (!cleaned.ok()) logger_.warn("old writable layers stay", {{"error", cleaned.error().message()}});
}

Task<void> ShimRuntime::adopt_one(std::string directory) {
  auto sandbox = std::make_shared<Sandbox>(loop_);
  sandbox->directory = directory;
  auto read = [directory] { return loop::read_file_now(directory + "/sandbox.json"); };
  Result<std::string> text = co_await loop::offload(loop_, read);
  Result<Value> record = text.ok() ? parse_json(*text) : Result<Value>(text.error());
  if (record.ok()) {
    restore_sandbox(*record, *sandbox);
  } else {
    // Its creation had not begun.
    sandbox->state.pod_uid = fs::path(directory).filename().string();
    sandbox->cgroup = "";
  }
  sandboxes_[sandbox->state.pod_uid] = sandbox;
  Result<void> joined = co_await join(sandbox).result();
  if (joined.ok()) {
    watch_shim(sandbox);
    co_return;
  }
  sandbox->state.alive = false;
  sandbox->gone.set();
}

// --- Sandboxes ----------------------------------------------------------------------

Task<SandboxState> ShimRuntime::create_sandbox(SandboxSpec spec) {
  if (sandboxes_.contains(spec.pod_uid)) {
    co_await loop::fail(Error::make(Code::already_exists, "the pod has a sandbox already"));
  }
  auto sandbox = std::make_shared<Sandbox>(loop_);
  sandbox->directory = options_.run_dir + "/pods/" + spec.pod_uid;
  sandbox->cgroup = node_cgroup_ + "/" + spec.cgroup;
  sandbox->host_pid = spec.host_pid;
  sandbox->host_ipc = spec.host_ipc;
  sandbox->host_network = spec.host_network;
  sandbox->state.pod_uid = spec.pod_uid;
  sandbox->state.ns = spec.ns;
  sandbox->state.name = spec.name;
  sandbox->state.attempt = spec.attempt;
  sandbox->state.created_at = loop_.wall();
  sandboxes_[spec.pod_uid] = sandbox;

  LaunchRequest request{program_, sandbox->socket(), sandbox_steps(spec, *sandbox, controllers_),
                        spec.share_process_namespace && !spec.host_pid};
  auto launch = [request, directory = sandbox->directory, shm = sandbox->shm(),
                 record = sandbox_record(spec, *sandbox)]() -> Result<Launched> {
    TRY_VOID(make_directories(shm, 0700));
    // Before there is a shim: a process that dies between here and the end can be cleaned up after.
    TRY_VOID(write_plain(directory + "/sandbox.json", format_json(record)));
    TRY(Launched launched, launch_shim(request));
    const Value whole = record.with("pid", launched.pid).with("pausePid", launched.pause_pid);
    TRY_VOID(write_plain(directory + "/sandbox.json", format_json(whole)));
    return launched;
  };
  Result<Launched> launched = co_await loop::offload(loop_, launch);
  if (!launched.ok()) {
    sandbox->state.alive = false;
    sandbox->gone.set();
    Result<void> removed = co_await remove_sandbox(spec.pod_uid).result();
    co_await loop::fail(launched.error());
  }
  sandbox->state.shim_pid = launched->pid;
  watch_shim(sandbox);
  co_await join(sandbox);
  co_return sandbox->state;
}

Task<void> ShimRuntime::remove_sandbox(std::string pod_uid) {
  const auto at = sandboxes_.find(pod_uid);
  if (at == sandboxes_.end()) co_return;
  SandboxPtr sandbox = at->second;
  sandbox->removing = true;
  if (sandbox->state.alive && sandbox->connection) {
    ShimConnection::Fields nothing;
    auto ask = sandbox->connection->call(Kind::shutdown, nothing);
    Result<ShimConnection::Answer> asked = co_await loop::with_timeout(loop_, std::move(ask), kShutdownTime).result();
    if (!asked.ok() && sandbox->pidfd.ok()) sys::pidfd_send_signal(sandbox->pidfd.get(), SIGKILL);
    co_await sandbox->gone.wait();
  }
  sandbox->connection.reset();
  for (int tries = 0; !sandbox->cgroup.empty(); ++tries) {
    auto remove = [path = sandbox->cgroup] { return remove_cgroup(path); };
    const bool removed = co_await loop::offload(loop_, remove);
    if (removed) break;
    if (tries == kRemoveTries) co_await loop::fail(Error::make(Code::timeout, "processes of the pod do not end; its cgroup is " + sandbox->cgroup));
    co_await loop::sleep(loop_, kRemoveRetry);
  }
  auto clean = [sandbox, containers = options_.containers_dir]() -> Result<void> {
    for (const ContainerState& container : sandbox->state.containers) {
      TRY_VOID(remove_tree(containers + "/" + container.id));
    }
    return remove_tree(sandbox->directory);
  };
  Result<void> cleaned = co_await loop::offload(loop_, clean);
  if (!cleaned.ok()) co_await loop::fail(cleaned.error());
  sandboxes_.erase(pod_uid);
  if (listener_) listener_(pod_uid);
}

// --- Containers -----------------------------------------------------------------------

Task<ContainerState> ShimRuntime::start_container(ContainerSpec spec) {
  SandboxPtr sandbox = co_await running(spec.pod_uid);
  plan::oci::Request request;
  request.config = container_config(spec.config, *sandbox);
  const std::string directory = options_.containers_dir + "/" + spec.id;
  request.root = {directory + "/root", spec.layers, directory + "/upper", directory + "/work"};
  request.cgroup = sandbox->container_cgroup(spec.id);
  request.facts.controllers = controllers_;
  const Value& seccomp = spec.config["linux"]["seccomp"];
  if (!seccomp.is_null()) {
    sys::SeccompFilter filter = co_await filters_.compile(seccomp);
    request.seccomp_filter = std::move(filter.program);
    request.seccomp_flags = filter.flags;
  }

  sandbox->configs[spec.id] = request.config;
  auto prepare = [request, spec, directory, record = sandbox->directory + "/" + spec.id + ".json"]() -> Result<sys::Fd> {
    for (const char* part : {"/root", "/upper", "/work"}) TRY_VOID(make_directories(directory + part, 0755));
    TRY_VOID(make_directories(fs::path(spec.log_path).parent_path().string(), 0755));
    TRY_VOID(write_plain(record, format_json(request.config)));
    TRY(steps::Steps steps, plan::oci::compile(request));
    return memory_file(steps::encode_steps(steps));
  };
  Result<sys::Fd> prepared = co_await loop::offload(loop_, prepare);
  if (!prepared.ok()) co_await loop::fail(prepared.error());
  auto steps = std::make_shared<sys::Fd>(std::move(*prepared));
  const Instant created = loop_.wall();
  ShimConnection::Fields fields = [&spec, &request, created](steps::Packer& packer) {
    uint64_t flags = 0;
    if (spec.terminal) flags |= steps::kTerminal;
    if (spec.input) flags |= steps::kInput;
    if (spec.input_once) flags |= steps::kInputOnce;
    packer.text(spec.id).text(spec.name).number(spec.attempt).number(flags).text(spec.log_path);
    packer.number(static_cast<uint64_t>(spec.log_max_bytes)).number(static_cast<uint64_t>(spec.log_max_files));
    packer.text(request.cgroup).text(spec.image_id).text(spec.spec_hash).number(static_cast<uint64_t>(created.ns));
  };
  ShimConnection::Answer answer = co_await sandbox->connection->ask(Kind::start, fields, steps);
  if (auto failure = ShimConnection::failure_of(answer)) {
    ContainerState failed;
    failed.id = spec.id;
    failed.name = spec.name;
    failed.attempt = spec.attempt;
    failed.phase = ContainerPhase::exited;
    failed.exit_code = failure->code;
    failed.start_error = failure->text;
    failed.created_at = failed.started_at = created;
    failed.finished_at = loop_.wall();
    failed.image_id = spec.image_id;
    failed.spec_hash = spec.spec_hash;
    // The shim may have told of it already, with times of its own.
    if (!sandbox->find(spec.id)) put_container(sandbox->state, failed);
  }
  steps::Unpacker message = answer.unpack();
  message.number();
  message.number();
  if (const auto refused = message.text(); message.kind() == Kind::done && !refused.empty()) {
    logger_.debug("the machine refused parts of a container's set-up", {{"container", spec.name}, {"refused", refused}});
  }
  const ContainerState* state = sandbox->find(spec.id);
  if (!state) co_await loop::fail(Error::make(Code::internal, "the shim did not tell of the container"));
  co_return *state;
}

Task<void> ShimRuntime::kill_container(std::string pod_uid, std::string id, int signal) {
  Result<SandboxPtr> sandbox = co_await running(pod_uid).result();
  if (!sandbox.ok()) co_return;
  ShimConnection::Fields fields = [&id, signal](steps::Packer& packer) {
    packer.text(id).number(signal == SIGKILL ? steps::kKillAll : static_cast<uint64_t>(signal));
  };
  ShimConnection::Answer answer = co_await (*sandbox)->connection->call(Kind::signal, fields);
}

Task<void> ShimRuntime::remove_container(std::string pod_uid, std::string id) {
  const auto at = sandboxes_.find(pod_uid);
  if (at == sandboxes_.end()) co_return;
  SandboxPtr sandbox = at->second;
  if (sandbox->state.alive && sandbox->connection) {
    ShimConnection::Fields fields = [&id](steps::Packer& packer) { packer.text(id); };
    ShimConnection::Answer answer = co_await sandbox->connection->call(Kind::forget, fields);
  }
  auto remove = [cgroup = sandbox->container_cgroup(id), directory = options_.containers_dir + "/" + id,
                 record = sandbox->directory + "/" + id + ".json"]() -> Result<void> {
    remove_cgroup(cgroup);
    TRY_VOID(remove_tree(directory));
    return remove_tree(record);
  };
  Result<void> removed = co_await loop::offload(loop_, remove);
  if (!removed.ok()) co_await loop::fail(removed.error());
  std::erase_if(sandbox->state.containers, [&id](const ContainerState& c) { return c.id == id; });
  sandbox->configs.erase(id);
}

Task<void> ShimRuntime::update_container(std::string pod_uid, std::string id, Value resources) {
  SandboxPtr sandbox = co_await running(pod_uid);
  auto write = [writes = plan::oci::compile_resources(resources, sandbox->container_cgroup(id), {controllers_})]() -> Result<void> {
    for (const steps::Step& step : writes) {
      const int error = sys::write_kernel_file(step.texts[0].c_str(), step.texts[1]);
      if (error != 0 && !step.tolerated) return Error::from_errno(error, "write " + step.texts[0]);
    }
    return {};
  };
  Result<void> written = co_await loop::offload(loop_, write);
  if (!written.ok()) co_await loop::fail(written.error());
}

Task<ResourceUsage> ShimRuntime::usage(std::string pod_uid, std::string id) {
  SandboxPtr sandbox = co_await running(pod_uid);
  auto read = [path = id.empty() ? sandbox->cgroup : sandbox->container_cgroup(id)] { return read_usage(path); };
  ResourceUsage usage = co_await loop::offload(loop_, read);
  co_return usage;
}

}  // namespace orch::runtime
