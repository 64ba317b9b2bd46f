#pragma once
// A socket of libuv as a Stream. Room-private: uv_network.cpp makes these.
//
// An idle one costs its handle (about 250 bytes) and this object; reads go through the loop's one
// buffer, and only bytes that came are copied out of it.

#include <uv.h>

#include <memory>
#include <string>
#include <vector>

#include "loop/stream.h"
#include "loop/uv_loop.h"

namespace orch::loop {

// Code::closed for what means "the other side is gone", else Code::io with the errno.
Error uv_error(int status, std::string_view what);

std::string format_address(const sockaddr_storage& address);

class UvStream final : public Stream {
 public:
  // A handle that libuv frees some time after close(): it belongs to nobody but its close callback.
  struct Handle {
    union {
      uv_stream_t stream;
      uv_tcp_t tcp;
      uv_pipe_t pipe;
    };
    UvStream* owner = nullptr;
    Handle() : tcp{} {}
  };
  enum class Kind { tcp, pipe };

  UvStream(UvLoop& loop, Kind kind);
  ~UvStream() override;

  Task<std::string> read() override;
  Task<void> write(std::vector<Chunk> chunks) override;
  Task<void> shutdown() override;
  void close() override;
  std::string peer() const override { return address_of(uv_tcp_getpeername); }
  std::string local() const override { return address_of(uv_tcp_getsockname); }

  Task<void> connect_tcp(sockaddr_storage address, std::string what);
  Task<void> connect_pipe(std::string path);
  uv_stream_t* raw() { return &handle_->stream; }
  void tune();  // once connected

 private:
  using GetName = int (*)(const uv_tcp_t*, sockaddr*, int*);
  std::string address_of(GetName get_name) const;
  static void on_alloc(uv_handle_t* handle, size_t, uv_buf_t* buffer);
  static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer);
  void got(ssize_t count, const char* bytes);
  void start_reading();
  void stop_reading();

  UvLoop& loop_;
  Handle* handle_;  // null: closed
  Event readable_;
  std::string pending_;
  int read_status_ = 0;  // UV_EOF or an error, once there is nothing more to read
  Kind kind_;
  bool reading_ = false;
};

}  // namespace orch::loop
