#pragma once
// A remote command's channels (exec, attach) as a server sees them, over whatever the client speaks:
//
//   WebSocket  v5 v4 v3 v2 ."channel.k8s.io", "channel.k8s.io", "v4.base64.channel.k8s.io", "base64.channel.k8s.io"
//   SPDY/3.1   v4 v3 v2 ."channel.k8s.io", "channel.k8s.io" (X-Stream-Protocol-Version)
//
// On a WebSocket each message begins with the channel's number (base64: its digit); [0xFF, channel] ends a
// channel since v5. With SPDY each channel is a stream whose header streamType names it. Since v4 the result
// is a metav1.Status in JSON, before it an error text.

#include <memory>
#include <string>

#include "base/error.h"
#include "data/value.h"
#include "loop/loop.h"
#include "wire/http.h"

namespace orch::wire {

enum class CommandChannel : uint8_t { input = 0, output = 1, error = 2, status = 3, resize = 4 };

// What the client wants connected. With a terminal there is no error channel of its own.
struct CommandChannels {
  bool input = false, output = false, error = false, terminal = false;
};

struct WindowSize {
  uint16_t columns = 0, rows = 0;
};

class RemoteCommand {
 public:
  virtual ~RemoteCommand() = default;  // ends the connection at once
  // Some bytes of its input; "" at its end (the client's half close, or its going away).
  virtual loop::Task<std::string> read_input() = 0;
  // The newest size not yet given out; waits. Code::closed when there will be none.
  virtual loop::Task<WindowSize> read_size() = 0;
  // output or error; dropped where the client does not want it. Code::closed when the client is gone.
  virtual loop::Task<void> write(CommandChannel channel, std::string bytes) = 0;
  // Sends how it ended, and ends everything in the order clients need.
  virtual loop::Task<void> finish(Value status) = 0;
  // Resumes when the client is gone.
  virtual loop::Task<void> gone() = 0;
};

// Answers the upgrade and returns once the client has opened its channels (30 s at most, Code::timeout). Before
// the 101 errors are Code::bad_request or Code::forbidden, and nothing was sent.
loop::Task<std::unique_ptr<RemoteCommand>> accept_remote_command(loop::Loop& loop, const Request& request,
                                                                 Responder& responder, CommandChannels channels);

// A GET or POST that asks for SPDY/3.1.
bool wants_spdy(const Request& request);
// Answers with 101 to a SPDY upgrade, with the first of the client's X-Stream-Protocol-Version that is one of
// `ours`; returns that ("" where the client names none).
struct SpdyUpgrade {
  std::string protocol;
  std::unique_ptr<loop::Stream> stream;
};
loop::Task<SpdyUpgrade> accept_spdy(const Request& request, Responder& responder, std::vector<std::string> ours);

// How a command ended, in kubelet's words: kubectl takes its own exit code from these.
Value command_succeeded();
Value command_exited(std::string_view command, int exit_code);
Value command_failed(std::string_view why);  // "Internal error occurred: <why>"
// The exit code a Status carries: 0 for success, nothing for another failure.
std::optional<int> exit_code_of(const Value& status);

// Sizes from the resize channel: JSON documents {"Width":80,"Height":24}, cut anywhere.
class WindowSizeParser {
 public:
  void feed(std::string_view bytes);
  std::optional<WindowSize> take();  // the newest one

 private:
  std::string input_;
  std::optional<WindowSize> newest_;
};
std::string format_window_size(WindowSize size);

}  // namespace orch::wire
