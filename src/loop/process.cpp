#include "loop/process.h"

#include <sys/wait.h>
#include <uv.h>

#include <array>
#include <csignal>

#include "loop/scope.h"
#include "loop/uv_stream.h"

namespace orch::loop {

namespace {

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const auto& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

struct Process::Handle {
  uv_process_t process{};
  Process* owner = nullptr;
};

Process::Process(UvLoop& loop) : loop_(loop), handle_(new Handle), exited_(loop) {
  handle_->owner = this;
  handle_->process.data = handle_;
}

Result<std::unique_ptr<Process>> Process::start(UvLoop& loop, const ProcessRequest& request) {
  if (request.arguments.empty()) return Error::make(Code::io, "no program to start");
  std::unique_ptr<Process> process(new Process(loop));
  int status = process->spawn(request);
  if (status != 0) return uv_error(status, "start " + request.arguments[0]);
  return process;
}

int Process::spawn(const ProcessRequest& request) {
  using Stdio = ProcessRequest::Stdio;
  auto arguments = pointers_to(request.arguments);
  auto environment = pointers_to(request.environment.value_or(std::vector<std::string>()));
  std::array<uv_stdio_container_t, 3> stdio{};
  std::array<Stdio, 3> wanted = {request.input, request.output, request.error};
  for (size_t i = 0; i < wanted.size(); ++i) {
    stdio[i].flags = UV_IGNORE;
    if (wanted[i] == Stdio::inherit) {
      stdio[i].flags = UV_INHERIT_FD;
      stdio[i].data.fd = static_cast<int>(i);
    } else if (wanted[i] == Stdio::pipe) {
      auto pipe = std::make_unique<UvStream>(loop_, UvStream::Kind::pipe);
      stdio[i].flags = static_cast<uv_stdio_flags>(UV_CREATE_PIPE | (i == 0 ? UV_READABLE_PIPE : UV_WRITABLE_PIPE));
      stdio[i].data.stream = pipe->raw();
      pipes_[i] = std::move(pipe);
    }
  }
  uv_process_options_t options{};
  options.file = arguments[0];
  options.args = arguments.data();
  if (request.environment) options.env = environment.data();
  if (!request.directory.empty()) options.cwd = request.directory.c_str();
  options.stdio_count = stdio.size();
  options.stdio = stdio.data();
  options.exit_cb = [](uv_process_t* process, int64_t code, int signal_number) {
    auto* owner = static_cast<Handle*>(process->data)->owner;
    if (!owner) return;
    owner->status_ = ExitStatus{static_cast<int>(code), signal_number};
    owner->exited_.set();
  };
  int status = uv_spawn(loop_.raw(), &handle_->process, &options);
  if (status == 0) pid_ = handle_->process.pid;
  return status;
}

Process::~Process() {
  bool running = pid_ != 0 && !exited_.is_set();
  if (running) ::kill(pid_, SIGKILL);
  handle_->owner = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->process),
           [](uv_handle_t* handle) { delete static_cast<Handle*>(handle->data); });
  // libuv forgets a closed handle: the dead child must be collected by us, or it stays as a zombie.
  auto collect = [pid = pid_] { waitpid(pid, nullptr, 0); };
  if (running) loop_.offload_work(collect, [] {});
}

void Process::kill(int signal_number) {
  if (pid_ != 0 && !exited_.is_set()) ::kill(pid_, signal_number);
}

Task<ExitStatus> Process::wait() {
  co_await exited_.wait();
  co_return status_;
}

namespace {

Task<void> feed(std::unique_ptr<Stream>& stream, std::string input) {
  auto own = std::move(stream);
  (void)co_await write_text(*own, std::move(input)).result();  // it need not read all
  (void)co_await own->shutdown().result();
}

Task<void> collect(Stream& stream, std::string& out, size_t limit) {
  while (true) {
    std::string some = co_await stream.read();
    if (some.empty()) co_return;
    out += some.substr(0, limit - std::min(limit, out.size()));
  }
}

}  // namespace

Task<ProcessOutput> run_process(UvLoop& loop, ProcessRequest request, std::string input, size_t limit) {
  request.input = request.output = request.error = ProcessRequest::Stdio::pipe;
  std::unique_ptr<Process> process = co_await Process::start(loop, request);
  ProcessOutput result;
  Scope scope(loop);
  scope.spawn(feed(process->input(), std::move(input)));
  scope.spawn(collect(*process->output(), result.output, limit));
  scope.spawn(collect(*process->error(), result.error, limit));
  result.status = co_await process->wait();
  co_await scope.join();
  co_return std::move(result);
}

}  // namespace orch::loop
