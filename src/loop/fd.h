#pragma once
// Descriptors that somebody else made, on the loop: a pipe, terminal or socket as a Stream, and any other as something
// that becomes readable.

#include <functional>
#include <memory>
#include <string>

#include "loop/stream.h"
#include "loop/uv_loop.h"

namespace orch::loop {

// Owns the descriptor from the call on, also where it fails (Code::io). Of a terminal the end of the other side
// (EIO) is the end of the stream.
Result<std::unique_ptr<Stream>> adopt_pipe(UvLoop& loop, int fd);
Result<std::unique_ptr<Stream>> adopt_tcp(UvLoop& loop, int fd);

// Calls `readable` on the loop while `fd` can be read; of a pidfd that is once its process has ended. Does not own the
// descriptor, which has to stay open until the watch is gone. `readable` may destroy the watch.
class FdWatch {
 public:
  FdWatch(UvLoop& loop, int fd, Callback readable);
  ~FdWatch();
  FdWatch(const FdWatch&) = delete;
  FdWatch& operator=(const FdWatch&) = delete;

 private:
  struct Handle;
  Handle* handle_;  // libuv's, freed by its close callback
};

// The same for both directions, for libraries that bring their own sockets (c-ares). Does not own the descriptor; is
// destroyed before that is closed.
class FdPoll {
 public:
  // `ready` may destroy the FdPoll.
  FdPoll(UvLoop& loop, int fd, std::function<void(bool readable, bool writable)> ready);
  ~FdPoll();
  FdPoll(const FdPoll&) = delete;
  FdPoll& operator=(const FdPoll&) = delete;
  void wait_for(bool readable, bool writable);

 private:
  struct Handle;
  Handle* handle_;  // libuv's, freed by its close callback
};

}  // namespace orch::loop
