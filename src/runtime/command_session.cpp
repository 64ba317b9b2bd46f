#include "runtime/command_session.h"

namespace orch::runtime {

using loop::Task;

namespace {

class Session final : public CommandSession {
 public:
  Session(loop::Loop& loop, SessionParts parts) : parts_(std::move(parts)), room_(loop), changed_(loop), scope_(loop) {
    open_ = (parts_.output ? 1 : 0) + (parts_.error ? 1 : 0);
    if (parts_.output) scope_.spawn(pump(*parts_.output, Channel::output));
    if (parts_.error) scope_.spawn(pump(*parts_.error, Channel::error));
  }
  ~Session() override {
    if (!parts_.exit->ended.is_set() && parts_.abandon) parts_.abandon();
  }

  Task<Piece> read() override {
    while (pieces_.empty() && open_ > 0) {
      changed_.reset();
      co_await changed_.wait();
    }
    if (pieces_.empty()) co_return Piece{Channel::output, std::string()};
    Piece piece = std::move(pieces_.front());
    pieces_.pop_front();
    held_ -= piece.bytes.size();
    if (held_ < kMost) room_.set();
    co_return std::move(piece);
  }

  Task<void> write(std::string input) override {
    loop::Stream* stream = input_stream();
    if (!stream) co_await loop::fail(Error::make(Code::closed, "the process has no standard input"));
    std::vector<loop::Chunk> chunks;
    chunks.emplace_back(std::move(input));
    co_await stream->write(std::move(chunks));
  }

  Task<void> close_input() override {
    // The end of a terminal's input is a character, not a closed descriptor.
    if (parts_.input_is_output) {
      co_await write(std::string(1, '\4'));
      co_return;
    }
    parts_.input.reset();
  }

  void resize(TerminalSize size) override {
    if (parts_.resize) parts_.resize(size);
  }

  Task<int> wait() override {
    co_await parts_.exit->ended.wait();
    co_return parts_.exit->code;
  }

 private:
  // Read ahead this far: then the process has to wait, as for any pipe.
  static constexpr size_t kMost = 256 * 1024;

  loop::Stream* input_stream() { return parts_.input_is_output ? parts_.output.get() : parts_.input.get(); }

  Task<void> pump(loop::Stream& stream, Channel channel) {
    while (true) {
      while (held_ >= kMost) {
        room_.reset();
        co_await room_.wait();
      }
      Result<std::string> bytes = co_await stream.read().result();
      if (!bytes.ok() || bytes->empty()) break;
      held_ += bytes->size();
      pieces_.push_back(Piece{channel, std::move(*bytes)});
      changed_.set();
    }
    --open_;
    changed_.set();
  }

  SessionParts parts_;
  std::deque<Piece> pieces_;
  size_t held_ = 0;
  int open_ = 0;
  loop::Event room_, changed_;
  loop::Scope scope_;  // last: its tasks use the others
};

}  // namespace

std::unique_ptr<CommandSession> make_session(loop::Loop& loop, SessionParts parts) {
  return std::make_unique<Session>(loop, std::move(parts));
}

}  // namespace orch::runtime
