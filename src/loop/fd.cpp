#include "loop/fd.h"

#include <uv.h>

#include "loop/uv_stream.h"

namespace orch::loop {

namespace {

Result<std::unique_ptr<Stream>> adopt(UvLoop& loop, int fd, UvStream::Kind kind) {
  auto stream = std::make_unique<UvStream>(loop, kind);
  uv_stream_t* raw = stream->raw();
  const int status = kind == UvStream::Kind::tcp ? uv_tcp_open(reinterpret_cast<uv_tcp_t*>(raw), fd)
                                                 : uv_pipe_open(reinterpret_cast<uv_pipe_t*>(raw), fd);
  if (status != 0) {
    uv_fs_t request;
    uv_fs_close(nullptr, &request, fd, nullptr);
    return uv_error(status, "take over a descriptor");
  }
  if (kind == UvStream::Kind::tcp) stream->tune();
  return std::unique_ptr<Stream>(std::move(stream));
}

}  // namespace

Result<std::unique_ptr<Stream>> adopt_pipe(UvLoop& loop, int fd) { return adopt(loop, fd, UvStream::Kind::pipe); }
Result<std::unique_ptr<Stream>> adopt_tcp(UvLoop& loop, int fd) { return adopt(loop, fd, UvStream::Kind::tcp); }

struct FdWatch::Handle {
  uv_poll_t poll{};
  Callback readable;
};

FdWatch::FdWatch(UvLoop& loop, int fd, Callback readable) : handle_(new Handle) {
  handle_->poll.data = handle_;
  handle_->readable = std::move(readable);
  uv_poll_init(loop.raw(), &handle_->poll, fd);
  auto on_event = [](uv_poll_t* poll, int, int) {
    auto callback = static_cast<Handle*>(poll->data)->readable;  // it may destroy the watch
    callback();
  };
  uv_poll_start(&handle_->poll, UV_READABLE, on_event);
}

struct FdPoll::Handle {
  uv_poll_t poll{};
  std::function<void(bool, bool)> ready;
};

FdPoll::FdPoll(UvLoop& loop, int fd, std::function<void(bool, bool)> ready) : handle_(new Handle) {
  handle_->poll.data = handle_;
  handle_->ready = std::move(ready);
  uv_poll_init(loop.raw(), &handle_->poll, fd);
}

void FdPoll::wait_for(bool readable, bool writable) {
  auto on_event = [](uv_poll_t* poll, int status, int events) {
    auto callback = static_cast<Handle*>(poll->data)->ready;  // it may destroy us
    // An error (POLLERR) is found by whoever reads.
    callback(status != 0 || (events & UV_READABLE) != 0, (events & UV_WRITABLE) != 0);
  };
  uv_poll_start(&handle_->poll, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0), on_event);
}

FdPoll::~FdPoll() {
  uv_poll_stop(&handle_->poll);
  auto free_handle = [](uv_handle_t* handle) { delete static_cast<Handle*>(handle->data); };
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->poll), free_handle);
}

FdWatch::~FdWatch() {
  uv_poll_stop(&handle_->poll);
  auto free_handle = [](uv_handle_t* handle) { delete static_cast<Handle*>(handle->data); };
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->poll), free_handle);
}

}  // namespace orch::loop
