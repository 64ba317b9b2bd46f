// Processes and connections inside of running containers: exec, attach, port-forward.

#include "data/json.h"
#include "loop/files.h"
#include "loop/timeout.h"
#include "plan/oci/compile.h"
#include "runtime/namespace_socket.h"
#include "runtime/sandbox.h"
#include "runtime/shim_launcher.h"
#include "runtime/shim_runtime.h"
#include "steps/step.h"

namespace orch::runtime {

using loop::Task;
using steps::Kind;

Task<Value> ShimRuntime::config_of(SandboxPtr sandbox, std::string id) {
  const auto known = sandbox->configs.find(id);
  if (known != sandbox->configs.end()) co_return known->second;
  std::string text = co_await loop::read_file(loop_, sandbox->directory + "/" + id + ".json");
  Value config = co_await parse_json(text);
  sandbox->configs[id] = config;
  co_return config;
}

namespace {

Result<sys::Fd> exec_steps(const plan::oci::ExecRequest& request) {
  TRY(steps::Steps steps, plan::oci::compile_exec(request));
  return memory_file(steps::encode_steps(steps));
}

Value exec_process(const Value& process, const CommandRequest& request) {
  std::vector<Value> arguments, environment;
  for (const std::string& argument : request.arguments) arguments.emplace_back(argument);
  bool has_term = false;
  for (const Value& variable : process["env"].items()) {
    has_term = has_term || variable.as_string().starts_with("TERM=");
    environment.push_back(variable);
  }
  if (request.terminal && !has_term) environment.emplace_back("TERM=xterm");
  Value result = process.with("args", Value::list(std::move(arguments)));
  return result.with("terminal", request.terminal).with("env", Value::list(std::move(environment)));
}

}  // namespace

Task<std::unique_ptr<CommandSession>> ShimRuntime::run_in(SandboxPtr sandbox, std::string id, CommandRequest request) {
  const ContainerState* container = sandbox->find(id);
  if (!container || container->phase != ContainerPhase::running) {
    co_await loop::fail(Error::make(Code::not_found, "the container does not run"));
  }
  plan::oci::ExecRequest exec;
  exec.pid = container->pid;
  exec.cgroup = sandbox->container_cgroup(id);
  exec.config = co_await config_of(sandbox, id);
  exec.process = exec_process(exec.config["process"], request);
  const Value& seccomp = exec.config["linux"]["seccomp"];
  if (!seccomp.is_null()) {
    sys::SeccompFilter filter = co_await filters_.compile(seccomp);
    exec.seccomp_filter = std::move(filter.program);
    exec.seccomp_flags = filter.flags;
  }
  auto steps = std::make_shared<sys::Fd>(co_await exec_steps(exec));
  ShimConnection::Fields fields = [&id, &request](steps::Packer& packer) {
    uint64_t flags = 0;
    if (request.terminal) flags |= steps::kTerminal;
    if (request.input) flags |= steps::kInput;
    packer.text(id).number(flags).number(request.size.columns).number(request.size.rows);
  };
  ShimConnection::Answer answer = co_await sandbox->connection->ask(Kind::execute, fields, steps);
  if (auto failure = ShimConnection::failure_of(answer)) {
    // 126 and 127 are the caller's to show; both come with what was wrong.
    co_await loop::fail(Error::make(failure->code == 126 || failure->code == 127 ? Code::invalid : Code::internal, failure->text));
  }
  steps::Unpacker message = answer.unpack();
  const uint64_t key = message.number();
  SessionParts parts;
  parts.exit = std::make_shared<ExecExit>(loop_);
  sandbox->execs[key] = parts.exit;
  const size_t expected = request.terminal ? 1 : request.input ? 3 : 2;
  if (answer.fds.size() != expected) co_await loop::fail(Error::make(Code::internal, "the shim sent too few descriptors"));
  std::shared_ptr<sys::Fd> terminal;
  if (request.terminal) {
    terminal = std::make_shared<sys::Fd>(::fcntl(answer.fds[0].get(), F_DUPFD_CLOEXEC, 3));
    parts.resize = [terminal](TerminalSize size) { set_terminal_size(terminal->get(), size); };
    parts.input_is_output = true;
  }
  parts.output = co_await loop::adopt_pipe(loop_, answer.fds[0].release());
  if (!request.terminal) parts.error = co_await loop::adopt_pipe(loop_, answer.fds[1].release());
  if (!request.terminal && request.input) parts.input = co_await loop::adopt_pipe(loop_, answer.fds[2].release());
  parts.abandon = [this, weak = std::weak_ptr<Sandbox>(sandbox), key] {
    auto strong = weak.lock();
    if (!strong || !strong->connection || !strong->connection->is_open()) return;
    scope_.spawn(kill_exec(strong, key));
  };
  co_return make_session(loop_, std::move(parts));
}

Task<void> ShimRuntime::kill_exec(SandboxPtr sandbox, uint64_t key) {
  ShimConnection::Fields fields = [key](steps::Packer& packer) { packer.number(key); };
  ShimConnection::Answer answer = co_await sandbox->connection->call(Kind::kill_exec, fields);
}

Task<std::unique_ptr<CommandSession>> ShimRuntime::exec(std::string pod_uid, std::string id, CommandRequest request) {
  SandboxPtr sandbox = co_await running(pod_uid);
  co_return co_await run_in(sandbox, id, std::move(request));
}

namespace {

Task<CommandOutput> collect(std::shared_ptr<CommandSession> session, size_t max_bytes) {
  CommandOutput output;
  while (true) {
    CommandSession::Piece piece = co_await session->read();
    if (piece.bytes.empty()) break;
    if (output.text.size() < max_bytes) output.text += piece.bytes.substr(0, max_bytes - output.text.size());
  }
  output.exit_code = co_await session->wait();
  co_return std::move(output);
}

}  // namespace

Task<CommandOutput> ShimRuntime::exec_and_wait(std::string pod_uid, std::string id, std::vector<std::string> arguments,
                                               Duration limit, size_t max_bytes) {
  CommandRequest request;
  request.arguments = std::move(arguments);
  std::unique_ptr<CommandSession> session = co_await exec(pod_uid, id, std::move(request));
  std::shared_ptr<CommandSession> shared = std::move(session);
  auto all = collect(shared, max_bytes);
  co_return co_await loop::with_timeout(loop_, std::move(all), limit);
}

Task<std::unique_ptr<CommandSession>> ShimRuntime::attach(std::string pod_uid, std::string id) {
  SandboxPtr sandbox = co_await running(pod_uid);
  ShimConnection::Fields fields = [&id](steps::Packer& packer) { packer.text(id); };
  ShimConnection::Answer answer = co_await sandbox->connection->call(Kind::attach, fields);
  steps::Unpacker message = answer.unpack();
  const uint64_t flags = message.number();
  if (answer.fds.size() < 2) co_await loop::fail(Error::make(Code::internal, "the shim sent too few descriptors"));
  SessionParts parts;
  parts.exit = std::make_shared<ExecExit>(loop_);
  parts.output = co_await loop::adopt_pipe(loop_, answer.fds[0].release());
  parts.error = co_await loop::adopt_pipe(loop_, answer.fds[1].release());
  if (answer.fds.size() > 2) parts.input = co_await loop::adopt_pipe(loop_, answer.fds[2].release());
  if (flags & steps::kTerminal) {
    parts.resize = [this, weak = std::weak_ptr<Sandbox>(sandbox), id](TerminalSize size) {
      if (auto strong = weak.lock()) scope_.spawn(resize(strong, id, size));
    };
  }
  sandbox->attached.emplace(id, parts.exit);
  co_return make_session(loop_, std::move(parts));
}

Task<void> ShimRuntime::resize(SandboxPtr sandbox, std::string id, TerminalSize size) {
  ShimConnection::Fields fields = [&id, size](steps::Packer& packer) { packer.text(id).number(size.columns).number(size.rows); };
  ShimConnection::Answer answer = co_await sandbox->connection->call(Kind::resize, fields);
}

Task<std::unique_ptr<loop::Stream>> ShimRuntime::connect(std::string pod_uid, std::string address, uint16_t port) {
  SandboxPtr sandbox = co_await running(pod_uid);
  auto dial = [ns = sandbox->state.network_namespace, address, port] { return connect_in_namespace(ns, address, port); };
  Result<sys::Fd> socket = co_await loop::offload(loop_, dial);
  if (!socket.ok()) co_await loop::fail(socket.error());
  co_return co_await loop::adopt_tcp(loop_, socket->release());
}

}  // namespace orch::runtime
