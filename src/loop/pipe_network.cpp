#include "loop/pipe_network.h"

#include "loop/queue.h"

namespace orch::loop {

namespace {

// One direction.
struct Pipe {
  Pipe(Loop& loop, size_t limit) : capacity(limit), readable(loop), writable(loop) {}
  std::string bytes;
  size_t capacity;
  bool ended = false;   // the writer said so
  bool broken = false;  // one of the two is gone
  Event readable, writable;

  void abandon() {
    broken = true;
    readable.set();
    writable.set();
  }
};

Error gone() { return Error::make(Code::closed, "the connection is closed"); }

class PipeStream final : public Stream {
 public:
  PipeStream(std::shared_ptr<Pipe> in, std::shared_ptr<Pipe> out, std::string name)
      : in_(std::move(in)), out_(std::move(out)), name_(std::move(name)) {}
  ~PipeStream() override { close(); }

  Task<std::string> read() override {
    auto pipe = in_;
    while (pipe->bytes.empty()) {
      if (closed_) co_await fail(gone());
      if (pipe->ended || pipe->broken) co_return std::string();
      pipe->readable.reset();
      co_await pipe->readable.wait();
    }
    std::string some = pipe->bytes.substr(0, 64 * 1024);
    pipe->bytes.erase(0, some.size());
    pipe->writable.set();
    co_return std::move(some);
  }

  Task<void> write(std::vector<Chunk> chunks) override {
    auto pipe = out_;
    for (auto& chunk : chunks) {
      auto view = chunk.view();
      while (!view.empty()) {
        if (closed_ || pipe->broken || pipe->ended) co_await fail(gone());
        size_t room = pipe->capacity - std::min(pipe->bytes.size(), pipe->capacity);
        if (room == 0) {
          pipe->writable.reset();
          co_await pipe->writable.wait();
          continue;
        }
        pipe->bytes += view.substr(0, room);
        view.remove_prefix(std::min(room, view.size()));
        pipe->readable.set();
      }
    }
  }

  Task<void> shutdown() override {
    out_->ended = true;
    out_->readable.set();
    co_return;
  }

  void close() override {
    if (std::exchange(closed_, true)) return;
    in_->abandon();
    out_->abandon();
  }

  std::string peer() const override { return name_; }
  std::string local() const override { return name_; }

 private:
  std::shared_ptr<Pipe> in_, out_;
  std::string name_;
  bool closed_ = false;
};

}  // namespace

std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> make_pipe(Loop& loop, size_t capacity,
                                                                      std::string name) {
  auto there = std::make_shared<Pipe>(loop, capacity);
  auto back = std::make_shared<Pipe>(loop, capacity);
  return {std::make_unique<PipeStream>(back, there, name), std::make_unique<PipeStream>(there, back, name)};
}

struct PipeNetwork::Backlog {
  Backlog(Loop& loop, uint16_t p) : waiting(loop), port(p) {}
  Queue<std::unique_ptr<Stream>> waiting;
  uint16_t port;
  bool open = true;
};

namespace {

class PipeListener final : public Listener {
 public:
  explicit PipeListener(std::shared_ptr<PipeNetwork::Backlog> backlog)
      : backlog_(std::move(backlog)), port_(backlog_->port) {}
  ~PipeListener() override { close(); }
  Task<std::unique_ptr<Stream>> accept() override {
    auto backlog = backlog_;
    if (!backlog) co_await fail(gone());
    co_return co_await backlog->waiting.pop();
  }
  void close() override {
    auto backlog = std::exchange(backlog_, nullptr);
    if (!backlog) return;
    backlog->open = false;
    backlog->waiting.close();
  }
  uint16_t port() const override { return port_; }

 private:
  std::shared_ptr<PipeNetwork::Backlog> backlog_;
  uint16_t port_;
};

}  // namespace

Result<std::unique_ptr<Listener>> PipeNetwork::listen(std::string name, uint16_t port) {
  auto& slot = listeners_[name];
  if (auto other = slot.lock(); other && other->open) return Error::from_errno(EADDRINUSE, "listen on " + name);
  auto backlog = std::make_shared<Backlog>(loop_, port);
  slot = backlog;
  return std::unique_ptr<Listener>(std::make_unique<PipeListener>(std::move(backlog)));
}

Result<std::unique_ptr<Listener>> PipeNetwork::listen_tcp(std::string, uint16_t port) {
  if (port == 0) port = next_port_++;
  return listen(std::to_string(port), port);
}

Result<std::unique_ptr<Listener>> PipeNetwork::listen_unix(std::string path) { return listen(path, 0); }

Task<std::unique_ptr<Stream>> PipeNetwork::connect(std::string name) {
  auto found = listeners_.find(name);
  auto backlog = found == listeners_.end() ? nullptr : found->second.lock();
  if (!backlog || !backlog->open) co_await fail(Error::from_errno(ECONNREFUSED, "connect to " + name));
  auto ends = make_pipe(loop_, capacity_, name);
  backlog->waiting.push(std::move(ends.second));
  co_return std::move(ends.first);
}

Task<std::unique_ptr<Stream>> PipeNetwork::connect_tcp(std::string, uint16_t port) {
  return connect(std::to_string(port));
}

Task<std::unique_ptr<Stream>> PipeNetwork::connect_unix(std::string path) { return connect(std::move(path)); }

}  // namespace orch::loop
