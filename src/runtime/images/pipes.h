#pragma once
// Bytes between the loop and a worker thread, with a bound: who is ahead waits.

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "loop/loop.h"
#include "runtime/images/byte_source.h"

namespace orch::runtime::images {

namespace detail {

// What both directions are: a queue of pieces under a lock, an Event for the loop's side.
class PipeState : public std::enable_shared_from_this<PipeState> {
 public:
  PipeState(loop::Loop& loop, size_t capacity) : loop_(loop), capacity_(capacity), changed_(loop) {}

 protected:
  void wake_loop() {
    loop_.post([weak = weak_from_this()] {
      if (auto self = weak.lock()) self->changed_.set();
    });
  }
  bool has_room() const { return size_ < capacity_; }

  loop::Loop& loop_;
  size_t capacity_;
  std::mutex mutex_;
  std::condition_variable moved_;  // for the thread's side
  std::deque<std::string> pieces_;
  size_t size_ = 0;
  bool ended_ = false;    // nothing more will be written
  bool closed_ = false;   // nobody reads any more
  std::optional<Error> error_;
  loop::Event changed_;
};

}  // namespace detail

// The loop writes, a thread reads.
class FeedPipe final : public ByteSource, public detail::PipeState {
 public:
  using detail::PipeState::PipeState;

  // Waits for room. Code::closed when the reader has given up.
  static loop::Task<void> write(std::shared_ptr<FeedPipe> pipe, std::string bytes);
  void finish();           // the end
  void fail(Error error);  // the reader gets it

  Result<size_t> read(char* buffer, size_t size) override;  // the thread's
  void close();                                             // the thread's: it reads no more
};

// A thread writes, the loop reads.
class DrainPipe final : public detail::PipeState {
 public:
  using detail::PipeState::PipeState;

  Result<void> write(std::string_view bytes);  // the thread's; waits for room; Code::closed when nobody reads
  void finish(Result<void> outcome);           // the thread's

  // "" at the end.
  static loop::Task<std::string> read(std::shared_ptr<DrainPipe> pipe);
  void close();
};

}  // namespace orch::runtime::images
