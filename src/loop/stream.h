#pragma once
// Byte streams, listeners and the network as interfaces: UvNetwork over libuv, PipeNetwork in memory
// for tests. TLS is a Stream over a Stream (wire/tls.h).

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "loop/task.h"

namespace orch::loop {

// Bytes on their way out: owned, or shared with a cache (a watch event goes to many clients once).
class Chunk {
 public:
  Chunk(std::string bytes) : bytes_(std::move(bytes)) {}                          // NOLINT: implicit
  Chunk(std::shared_ptr<const std::string> bytes) : bytes_(std::move(bytes)) {}   // NOLINT: implicit
  std::string_view view() const {
    if (auto* own = std::get_if<std::string>(&bytes_)) return *own;
    return *std::get<std::shared_ptr<const std::string>>(bytes_);
  }

 private:
  std::variant<std::string, std::shared_ptr<const std::string>> bytes_;
};

class Stream {
 public:
  virtual ~Stream() = default;  // closes at once
  // Some bytes, about 64 KiB at most; "" at the end of the stream. One read at a time, beside a write.
  // Cancelling it loses no bytes: the next read gets them.
  virtual Task<std::string> read() = 0;
  // Returns when the bytes are with the kernel (back-pressure). One write at a time. After a cancelled
  // one the stream is good for nothing but closing.
  virtual Task<void> write(std::vector<Chunk> chunks) = 0;
  // Sends the end of the stream; reading goes on.
  virtual Task<void> shutdown() = 0;
  // Ends both directions now; waiting reads and writes end with Code::closed.
  virtual void close() = 0;
  virtual std::string peer() const = 0;   // "127.0.0.1:4711", "unix", for the log
  virtual std::string local() const = 0;
};

Task<void> write_text(Stream& stream, std::string text);
// Everything up to the end of the stream; Code::too_large past `limit` bytes.
Task<std::string> read_all(Stream& stream, size_t limit);

class Listener {
 public:
  virtual ~Listener() = default;
  // One at a time. Code::closed after close().
  virtual Task<std::unique_ptr<Stream>> accept() = 0;
  // New connections are refused from now on.
  virtual void close() = 0;
  virtual uint16_t port() const = 0;  // 0 for unix sockets
};

class Network {
 public:
  virtual ~Network() = default;
  // `address` is a literal IPv4 or IPv6 address; port 0 picks one. Errors: Code::io with
  // "listen on 0.0.0.0:6443: Address already in use".
  virtual Result<std::unique_ptr<Listener>> listen_tcp(std::string address, uint16_t port) = 0;
  // Mode 0600. A socket file that nobody listens on any more is replaced.
  virtual Result<std::unique_ptr<Listener>> listen_unix(std::string path) = 0;
  // `host` is a literal address or a name (resolved without getaddrinfo: uv_network.h).
  virtual Task<std::unique_ptr<Stream>> connect_tcp(std::string host, uint16_t port) = 0;
  virtual Task<std::unique_ptr<Stream>> connect_unix(std::string path) = 0;
};

}  // namespace orch::loop
