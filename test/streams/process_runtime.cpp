#include "streams/process_runtime.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "base/text.h"
#include "loop/queue.h"

namespace orch::test {

using loop::Task;
using runtime::CommandSession;
using runtime::ContainerPhase;

namespace {

using Piece = CommandSession::Piece;
using Channel = CommandSession::Channel;

Task<void> read_into(loop::Stream& stream, Channel channel, loop::Queue<Piece>& queue, int& open) {
  while (true) {
    auto some = co_await stream.read().result();
    if (!some.ok() || some->empty()) break;
    Piece piece{channel, std::move(*some)};
    queue.push(std::move(piece));
  }
  if (--open == 0) queue.push(Piece{channel, ""});
}

int shell_code(loop::ExitStatus status) { return status.signal != 0 ? 128 + status.signal : status.code; }

class ProcessSession final : public CommandSession {
 public:
  ProcessSession(loop::Loop& loop, std::unique_ptr<loop::Process> process) : process_(std::move(process)), pieces_(loop), scope_(loop) {
    scope_.spawn(read_into(*process_->output(), Channel::output, pieces_, open_));
    scope_.spawn(read_into(*process_->error(), Channel::error, pieces_, open_));
  }
  Task<Piece> read() override { return pieces_.pop(); }
  Task<void> write(std::string input) override { co_await loop::write_text(*process_->input(), std::move(input)); }
  Task<void> close_input() override {
    process_->input().reset();
    co_return;
  }
  void resize(runtime::TerminalSize) override {}
  Task<int> wait() override {
    loop::ExitStatus status = co_await process_->wait();
    co_return shell_code(status);
  }

 private:
  std::unique_ptr<loop::Process> process_;
  loop::Queue<Piece> pieces_;
  int open_ = 2;
  loop::Scope scope_;
};

Error not_here() { return Error::make(Code::not_implemented, "these pods are only looked at"); }

}  // namespace

struct ProcessRuntime::Container {
  Container(loop::Loop& loop) : ended(loop), attached(loop) {}
  std::string id, log_path;
  std::unique_ptr<loop::Process> process;
  std::ofstream log;
  std::string partial[2];
  loop::Event ended;
  int exit_code = 0;
  std::vector<loop::Queue<Piece>*> listeners;
  loop::Event attached;
};

void ProcessRuntime::write_log(Container& container, std::string_view stream, std::string_view bytes) {
  std::string& line = container.partial[stream == "stderr"];
  for (char c : bytes) {
    if (c != '\n') {
      line += c;
      continue;
    }
    std::string time = format_micro_time(loop_.wall());
    container.log << time << " " << stream << " F " << line << "\n";
    line.clear();
  }
  container.log.flush();
}

void ProcessRuntime::add(const std::string& pod_uid, const std::string& pod_directory, const std::string& name,
                         std::vector<std::string> arguments, uint32_t attempt) {
  auto& pod = pods_[pod_uid];
  pod.pod_uid = pod_uid;
  pod.created_at = loop_.wall();
  auto container = std::make_shared<Container>(loop_);
  container->id = std::string(63, 'a') + std::to_string(containers_.size());
  std::string directory = log_directory_ + "/" + pod_directory;
  for (const std::string& path : {log_directory_, directory, directory + "/" + name}) ::mkdir(path.c_str(), 0755);
  container->log_path = directory + "/" + name + "/" + std::to_string(attempt) + ".log";
  container->log.open(container->log_path, std::ios::app);
  loop::ProcessRequest request;
  request.arguments = std::move(arguments);
  request.input = request.output = request.error = loop::ProcessRequest::Stdio::pipe;
  auto process = loop::Process::start(loop_, request);
  ORCH_CHECK(process.ok());
  container->process = std::move(*process);
  runtime::ContainerState state;
  state.id = container->id;
  state.name = name;
  state.attempt = attempt;
  state.phase = ContainerPhase::running;
  state.pid = container->process->pid();
  state.started_at = loop_.wall();
  pod.containers.push_back(state);
  containers_[container->id] = container;
  scope_.spawn(run(pod_uid, container));
}

Task<void> ProcessRuntime::run(std::string pod_uid, std::shared_ptr<Container> container) {
  loop::Queue<Piece> pieces(loop_);
  int open = 2;
  loop::Scope reading(loop_);
  reading.spawn(read_into(*container->process->output(), Channel::output, pieces, open));
  reading.spawn(read_into(*container->process->error(), Channel::error, pieces, open));
  while (true) {
    Piece piece = co_await pieces.pop();
    write_log(*container, piece.channel == Channel::error ? "stderr" : "stdout", piece.bytes);
    for (auto* listener : container->listeners) listener->push(piece);
    if (piece.bytes.empty()) break;
  }
  loop::ExitStatus status = co_await container->process->wait();
  container->exit_code = shell_code(status);
  container->ended.set();
  for (auto& state : pods_[pod_uid].containers) {
    if (state.id != container->id) continue;
    state.phase = ContainerPhase::exited;
    state.exit_code = container->exit_code;
    state.finished_at = loop_.wall();
  }
  if (listener_) listener_(pod_uid);
}

std::vector<runtime::SandboxState> ProcessRuntime::list() const {
  std::vector<runtime::SandboxState> all;
  for (const auto& [uid, pod] : pods_) all.push_back(pod);
  return all;
}

std::optional<runtime::SandboxState> ProcessRuntime::find(std::string_view pod_uid) const {
  auto found = pods_.find(pod_uid);
  if (found == pods_.end()) return std::nullopt;
  return found->second;
}

Task<runtime::SandboxState> ProcessRuntime::create_sandbox(runtime::SandboxSpec) { co_return not_here(); }
Task<void> ProcessRuntime::remove_sandbox(std::string) { co_await loop::fail(not_here()); }
Task<runtime::ContainerState> ProcessRuntime::start_container(runtime::ContainerSpec) { co_return not_here(); }
Task<void> ProcessRuntime::remove_container(std::string, std::string) { co_await loop::fail(not_here()); }
Task<void> ProcessRuntime::update_container(std::string, std::string, Value) { co_await loop::fail(not_here()); }
Task<runtime::CommandOutput> ProcessRuntime::exec_and_wait(std::string, std::string, std::vector<std::string>, Duration, size_t) {
  co_return not_here();
}

Task<void> ProcessRuntime::kill_container(std::string, std::string id, int signal) {
  containers_.at(id)->process->kill(signal);
  co_return;
}

Task<std::unique_ptr<CommandSession>> ProcessRuntime::exec(std::string, std::string, runtime::CommandRequest command) {
  loop::ProcessRequest request;
  request.arguments = command.arguments;
  if (command.terminal) {
    std::string line;
    for (const auto& argument : command.arguments) line += (line.empty() ? "'" : " '") + replace_all(argument, "'", "'\\''") + "'";
    request.arguments = {"script", "-qec", line, "/dev/null"};
  }
  request.output = request.error = loop::ProcessRequest::Stdio::pipe;
  request.input = loop::ProcessRequest::Stdio::pipe;
  auto process = loop::Process::start(loop_, request);
  if (!process.ok()) {
    co_return Error::make(Code::not_found, "exec: " + quote(command.arguments[0]) + ": executable file not found in $PATH");
  }
  if (!command.input) (*process)->input().reset();
  co_return std::unique_ptr<CommandSession>(std::make_unique<ProcessSession>(loop_, std::move(*process)));
}

namespace {

template <class Container>
class AttachSession final : public CommandSession {
 public:
  AttachSession(loop::Loop& loop, std::shared_ptr<Container> container) : container_(std::move(container)), pieces_(loop) {
    container_->listeners.push_back(&pieces_);
    if (container_->ended.is_set()) pieces_.push(Piece{Channel::output, ""});
  }
  ~AttachSession() override { std::erase(container_->listeners, &pieces_); }
  Task<Piece> read() override { return pieces_.pop(); }
  Task<void> write(std::string input) override { co_await loop::write_text(*container_->process->input(), std::move(input)); }
  Task<void> close_input() override {
    container_->process->input().reset();
    co_return;
  }
  void resize(runtime::TerminalSize) override {}
  Task<int> wait() override {
    co_await container_->ended.wait();
    co_return container_->exit_code;
  }

 private:
  std::shared_ptr<Container> container_;
  loop::Queue<Piece> pieces_;
};

}  // namespace

Task<std::unique_ptr<CommandSession>> ProcessRuntime::attach(std::string, std::string id) {
  auto found = containers_.find(id);
  if (found == containers_.end()) co_return Error::make(Code::not_found, "no such container");
  co_return std::unique_ptr<CommandSession>(std::make_unique<AttachSession<Container>>(loop_, found->second));
}

Task<std::unique_ptr<loop::Stream>> ProcessRuntime::connect(std::string, std::string address, uint16_t port) {
  return network_.connect_tcp(std::move(address), port);
}

// Grows with the time, so that a rate can be seen.
Task<runtime::ResourceUsage> ProcessRuntime::usage(std::string, std::string id) {
  runtime::ResourceUsage usage;
  usage.cpu_ns = static_cast<uint64_t>(loop_.now().ns / (id.empty() ? 2 : 4));
  usage.memory_bytes = 30 << 20;
  usage.working_set_bytes = 20 << 20;
  usage.processes = 1;
  co_return usage;
}

}  // namespace orch::test
