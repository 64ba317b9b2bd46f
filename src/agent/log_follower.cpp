#include "agent/log_follower.h"

#include <algorithm>

#include "agent/log_files.h"
#include "loop/file_watch.h"
#include "loop/scope.h"

namespace orch::agent {

using loop::Task;

namespace {

class LogSender {
 public:
  LogSender(loop::UvLoop& loop, const runtime::PodRuntime& runtime, LogRequest request, loop::Event& changed,
            wire::Responder& responder)
      : loop_(loop),
        runtime_(runtime),
        request_(std::move(request)),
        changed_(changed),
        responder_(responder),
        reader_(std::make_shared<LogReader>(request_.path)),
        formatter_(request_.options) {}

  Task<void> run();

 private:
  Task<void> seek();
  Task<void> send_what_is_there();
  Task<void> follow();
  Task<void> pass_on_changes();
  Task<void> watch_client();
  bool running() const;

  loop::UvLoop& loop_;
  const runtime::PodRuntime& runtime_;
  LogRequest request_;
  loop::Event& changed_;
  wire::Responder& responder_;
  std::shared_ptr<LogReader> reader_;  // shared with the worker that uses it
  LogFormatter formatter_;
  std::unique_ptr<loop::FileWatch> watch_;
  bool client_gone_ = false;
};

bool LogSender::running() const {
  auto sandbox = runtime_.find(request_.pod_uid);
  if (!sandbox || !sandbox->alive) return false;
  auto found = std::ranges::find(sandbox->containers, request_.container_id, &runtime::ContainerState::id);
  return found != sandbox->containers.end() && found->phase != runtime::ContainerPhase::exited;
}

Task<void> LogSender::seek() {
  auto work = [reader = reader_, lines = request_.options.tail_lines] {
    return lines ? reader->seek_tail(*lines) : reader->seek_start();
  };
  loop::offload seeking(loop_, work);
  Result<void> result = co_await seeking;
  co_await std::move(result);
}

Task<void> LogSender::send_what_is_there() {
  while (!formatter_.full()) {
    auto work = [reader = reader_] { return reader->read(); };
    loop::offload reading(loop_, work);
    Result<std::string> read = co_await reading;
    std::string lines = co_await std::move(read);
    if (lines.empty()) co_return;
    std::string text = formatter_.format(lines);
    if (text.empty()) continue;
    std::vector<loop::Chunk> chunks;
    chunks.emplace_back(std::move(text));
    co_await responder_.write(std::move(chunks));
  }
}

Task<void> LogSender::pass_on_changes() {
  while (true) {
    co_await watch_->changed().wait();
    watch_->changed().reset();
    changed_.set();
  }
}

Task<void> LogSender::watch_client() {
  co_await responder_.client_gone().result();
  client_gone_ = true;
  changed_.set();
}

Task<void> LogSender::follow() {
  loop::Scope scope(loop_);
  auto watch = loop::FileWatch::open(loop_, request_.path.substr(0, request_.path.rfind('/')));
  if (watch.ok()) {
    watch_ = std::move(*watch);
    scope.spawn(pass_on_changes());
  }
  scope.spawn(watch_client());
  while (!client_gone_ && !formatter_.full()) {
    changed_.reset();
    bool last = !running();  // asked first: what was written until then is read below
    co_await send_what_is_there();
    if (last) co_return;
    co_await changed_.wait();
  }
}

Task<void> LogSender::run() {
  co_await seek();
  wire::Headers headers;
  headers.add("Content-Type", "text/plain");
  co_await responder_.start(200, std::move(headers));
  if (request_.options.follow) {
    co_await follow();
  } else {
    co_await send_what_is_there();
  }
  co_await responder_.finish();
}

}  // namespace

Task<void> send_logs(loop::UvLoop& loop, const runtime::PodRuntime& runtime, LogRequest request, loop::Event& changed,
                     wire::Responder& responder) {
  LogSender sender(loop, runtime, std::move(request), changed, responder);
  co_await sender.run();
}

}  // namespace orch::agent
