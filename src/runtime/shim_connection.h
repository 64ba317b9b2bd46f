#pragma once
// A connection to one shim: requests with their answers, and what it tells by itself. On the loop's thread.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "linux/raw.h"
#include "loop/fd.h"
#include "loop/loop.h"
#include "steps/protocol.h"

namespace orch::runtime {

class ShimConnection {
 public:
  struct Answer {
    std::string bytes;
    std::vector<sys::Fd> fds;
    steps::Unpacker unpack() const { return steps::Unpacker(bytes); }
  };
  // What the shim says of a request that failed.
  struct Failure {
    int error = 0;  // errno
    int code = 0;   // the exit status that a start shall show: 126, 127 or 128
    std::string text;
  };
  static std::optional<Failure> failure_of(const Answer& answer);
  // `on_event` hears of messages that are no answers; `on_closed` of the end, once. Both may not destroy the
  // connection in the call.
  ShimConnection(loop::UvLoop& loop, sys::Fd socket, std::function<void(steps::Unpacker message)> on_event,
                 std::function<void()> on_closed);
  ~ShimConnection();

  // Writes the fields of a request.
  using Fields = std::function<void(steps::Packer& packer)>;
  // `fd`: goes with it. The answer may be a failure (ask); the error is Code::closed.
  loop::Task<Answer> ask(steps::Kind kind, Fields fields, std::shared_ptr<sys::Fd> fd);
  // The same, but a failure is an error: what the shim said, with its errno.
  loop::Task<Answer> call(steps::Kind kind, Fields fields, std::shared_ptr<sys::Fd> fd = {});
  bool is_open() const { return open_; }

 private:
  struct Pending {
    explicit Pending(loop::Loop& loop) : answered(loop) {}
    loop::Event answered;
    Answer answer;
    bool closed = false;
  };
  void read();
  void take(std::string_view bytes, int* fds);
  void close();

  loop::UvLoop& loop_;
  sys::Fd socket_;
  std::function<void(steps::Unpacker)> on_event_;
  std::function<void()> on_closed_;
  std::map<uint32_t, std::shared_ptr<Pending>> pending_;
  uint32_t last_request_ = 0;
  bool open_ = true;
  std::vector<char> buffer_;
  std::unique_ptr<loop::FdWatch> watch_;
};

}  // namespace orch::runtime
