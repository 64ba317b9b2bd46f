#include "loop/uv_stream.h"

#include <algorithm>
#include <array>

namespace orch::loop {

namespace {

// A request that libuv may finish after the coroutine that made it is gone: it owns itself until
// its callback, and shares the outcome with the coroutine.
struct Outcome {
  explicit Outcome(Loop& loop) : done(loop) {}
  Event done;
  int status = 0;
};

template <class UvRequest>
struct Request {
  UvRequest request{};
  std::vector<Chunk> chunks;
  std::shared_ptr<Outcome> outcome;

  static Request* make(Loop& loop) {
    auto* made = new Request;
    made->outcome = std::make_shared<Outcome>(loop);
    made->request.data = made;
    return made;
  }
  static void finished(UvRequest* request, int status) {
    std::unique_ptr<Request> owned(static_cast<Request*>(request->data));
    owned->outcome->status = status;
    owned->outcome->done.set();
  }
};

// Waits for a request that was handed to libuv with `status`; a refused one gets no callback.
template <class UvRequest>
Task<void> wait_for(Request<UvRequest>* request, int status, std::string what) {
  auto outcome = request->outcome;
  if (status != 0) {
    Request<UvRequest>::finished(&request->request, status);
  } else {
    co_await outcome->done.wait();
  }
  if (outcome->status != 0) co_await fail(uv_error(outcome->status, what));
}

std::vector<uv_buf_t> buffers_of(const std::vector<Chunk>& chunks, size_t skip) {
  std::vector<uv_buf_t> buffers;
  buffers.reserve(chunks.size());
  for (const auto& chunk : chunks) {
    auto view = chunk.view();
    size_t skipped = std::min(skip, view.size());
    skip -= skipped;
    view.remove_prefix(skipped);
    if (view.empty()) continue;
    buffers.push_back(uv_buf_init(const_cast<char*>(view.data()), static_cast<unsigned>(view.size())));
  }
  return buffers;
}

constexpr unsigned kKeepAliveSeconds = 30;  // until the first probe of an idle connection

}  // namespace

Error uv_error(int status, std::string_view what) {
  static constexpr std::array<int, 5> kGone = {UV_ECANCELED, UV_ECONNRESET, UV_EPIPE, UV_ENOTCONN, UV_EOF};
  Error error = Error::from_errno(status == UV_EOF ? ECONNRESET : -status, what);
  if (std::ranges::find(kGone, status) != kGone.end()) return std::move(error).with_code(Code::closed);
  return error;
}

std::string format_address(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    uv_ip4_name(&v4, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(v4.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    uv_ip6_name(&v6, text, sizeof text);
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6.sin6_port));
  }
  return "unix";
}

UvStream::UvStream(UvLoop& loop, Kind kind)
    : loop_(loop), handle_(new Handle), readable_(loop), kind_(kind) {
  handle_->owner = this;
  if (kind == Kind::tcp) {
    uv_tcp_init(loop.raw(), &handle_->tcp);
  } else {
    uv_pipe_init(loop.raw(), &handle_->pipe, 0);
  }
  handle_->stream.data = handle_;
}

UvStream::~UvStream() { close(); }

void UvStream::close() {
  if (!handle_) return;
  auto* handle = std::exchange(handle_, nullptr);
  handle->owner = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle->stream),
           [](uv_handle_t* closed) { delete static_cast<Handle*>(closed->data); });
  readable_.set();
}

void UvStream::tune() {
  if (kind_ != Kind::tcp || !handle_) return;
  uv_tcp_nodelay(&handle_->tcp, 1);
  uv_tcp_keepalive(&handle_->tcp, 1, kKeepAliveSeconds);
}

std::string UvStream::address_of(GetName get_name) const {
  if (kind_ == Kind::pipe) return "unix";
  sockaddr_storage address{};
  int size = sizeof address;
  if (!handle_ || get_name(&handle_->tcp, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return "closed";
  }
  return format_address(address);
}

// --- Reading ------------------------------------------------------------------------------------

void UvStream::on_alloc(uv_handle_t* handle, size_t, uv_buf_t* buffer) {
  auto* owner = static_cast<Handle*>(handle->data)->owner;
  *buffer = uv_buf_init(owner->loop_.read_buffer(), UvLoop::kReadBufferSize);
}

void UvStream::on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
  if (auto* owner = static_cast<Handle*>(stream->data)->owner) owner->got(count, buffer->base);
}

// Reading stays switched on between two reads, so that an answer costs no epoll_ctl; whatever comes
// while nobody waits is kept and switches it off (one buffer's worth at most, two after a wake-up).
void UvStream::got(ssize_t count, const char* bytes) {
  if (count == 0) return;  // EAGAIN
  if (count > 0) {
    pending_.append(bytes, static_cast<size_t>(count));
    if (!readable_.has_waiters()) stop_reading();
  } else {
    // A terminal's master reads EIO once nobody has the other side open (pty(7)).
    read_status_ = count == UV_EIO && kind_ == Kind::pipe ? UV_EOF : static_cast<int>(count);
    stop_reading();
  }
  readable_.set();
}

void UvStream::start_reading() {
  if (reading_) return;
  reading_ = true;
  int status = uv_read_start(&handle_->stream, on_alloc, on_read);
  if (status != 0) {
    read_status_ = status;
    readable_.set();
  }
}

void UvStream::stop_reading() {
  if (!reading_) return;
  reading_ = false;
  if (handle_) uv_read_stop(&handle_->stream);
}

Task<std::string> UvStream::read() {
  while (pending_.empty()) {
    if (!handle_) co_await fail(Error::make(Code::closed, "the stream is closed"));
    if (read_status_ == UV_EOF) co_return std::string();
    if (read_status_ != 0) co_await fail(uv_error(read_status_, "read"));
    readable_.reset();
    start_reading();
    co_await readable_.wait();
  }
  std::string bytes = std::exchange(pending_, {});
  co_return std::move(bytes);
}

// --- Writing ------------------------------------------------------------------------------------

Task<void> UvStream::write(std::vector<Chunk> chunks) {
  if (!handle_) co_await fail(Error::make(Code::closed, "the stream is closed"));
  auto buffers = buffers_of(chunks, 0);
  if (buffers.empty()) co_return;
  int written = uv_try_write(&handle_->stream, buffers.data(), static_cast<unsigned>(buffers.size()));
  if (written < 0 && written != UV_EAGAIN) co_await fail(uv_error(written, "write"));
  buffers = buffers_of(chunks, static_cast<size_t>(std::max(written, 0)));
  if (buffers.empty()) co_return;
  auto* request = Request<uv_write_t>::make(loop_);
  request->chunks = std::move(chunks);
  int status = uv_write(&request->request, &handle_->stream, buffers.data(),
                        static_cast<unsigned>(buffers.size()), Request<uv_write_t>::finished);
  co_await wait_for(request, status, "write");
}

Task<void> UvStream::shutdown() {
  if (!handle_) co_await fail(Error::make(Code::closed, "the stream is closed"));
  auto* request = Request<uv_shutdown_t>::make(loop_);
  int status = uv_shutdown(&request->request, &handle_->stream, Request<uv_shutdown_t>::finished);
  co_await wait_for(request, status, "shutdown");
}

// --- Connecting ---------------------------------------------------------------------------------

Task<void> UvStream::connect_tcp(sockaddr_storage address, std::string what) {
  auto* request = Request<uv_connect_t>::make(loop_);
  int status = uv_tcp_connect(&request->request, &handle_->tcp, reinterpret_cast<sockaddr*>(&address),
                              Request<uv_connect_t>::finished);
  co_await wait_for(request, status, what);
  tune();
}

Task<void> UvStream::connect_pipe(std::string path) {
  auto* request = Request<uv_connect_t>::make(loop_);
  uv_pipe_connect(&request->request, &handle_->pipe, path.c_str(), Request<uv_connect_t>::finished);
  co_await wait_for(request, 0, "connect to " + path);
}

}  // namespace orch::loop
