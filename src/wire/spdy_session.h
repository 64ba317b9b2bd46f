#pragma once
// A SPDY/3.1 connection over a byte stream: streams that both sides open, half close and reset.
//
// Peers in Kubernetes' world (moby/spdystream) know no flow control: they send no WINDOW_UPDATE and ignore
// ours. So a peer's windows are honoured once it has shown that it has some (SETTINGS or WINDOW_UPDATE), and
// what comes in is bounded by not reading on: one slow stream then holds up its neighbours, as it does there.
//
// Owner: whoever calls, not one of the session's own waiters. Destroying it closes the connection at once;
// streams that are still held then end with Code::closed.

#include <memory>
#include <string>

#include "loop/loop.h"
#include "loop/scope.h"
#include "loop/stream.h"
#include "wire/spdy.h"

namespace orch::wire {

enum class SpdyRole { server, client };

class SpdyStream {
 public:
  struct State;
  explicit SpdyStream(std::shared_ptr<State> state);
  // Resets it (cancel) unless both sides have finished.
  ~SpdyStream();
  SpdyStream(const SpdyStream&) = delete;
  SpdyStream& operator=(const SpdyStream&) = delete;

  uint32_t id() const;
  const Headers& headers() const;  // of its SYN_STREAM
  // Some bytes; "" after the peer has finished. Code::closed: reset, or the session has ended. One at a time.
  loop::Task<std::string> read();
  // Returns when the bytes are with the kernel. One at a time, beside a read.
  loop::Task<void> write(std::string bytes);
  loop::Task<void> finish();  // half close; again: nothing happens
  void reset(uint32_t status);

 private:
  std::shared_ptr<State> state_;
};

struct SpdySessionLimits {
  SpdyLimits frames;
  size_t max_streams = 1024;           // open at once; more are refused
  size_t max_unread = 1024 * 1024;     // bytes received and not yet read, of all streams
  Duration linger = 5s;                // close(): what a peer gets to end the connection itself
};

class SpdySession {
 public:
  SpdySession(loop::Loop& loop, std::unique_ptr<loop::Stream> stream, SpdyRole role, SpdySessionLimits limits = {});
  ~SpdySession();
  SpdySession(const SpdySession&) = delete;
  SpdySession& operator=(const SpdySession&) = delete;

  // The next stream the peer opens (it has been replied to). Code::closed when there will be none.
  loop::Task<std::unique_ptr<SpdyStream>> accept();
  // Returns when the peer has replied.
  loop::Task<std::unique_ptr<SpdyStream>> open(Headers headers);
  // Resumes when the connection has ended, from either side.
  loop::Task<void> ended();
  // GOAWAY, the end of our side, and a while for the peer to do likewise.
  loop::Task<void> close();

  struct Core;

 private:
  std::shared_ptr<Core> core_;
  loop::Scope scope_;
};

}  // namespace orch::wire
