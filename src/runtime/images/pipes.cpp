#include "runtime/images/pipes.h"

#include <algorithm>
#include <cstring>

namespace orch::runtime::images {

using loop::Task;

Task<void> FeedPipe::write(std::shared_ptr<FeedPipe> pipe, std::string bytes) {
  if (bytes.empty()) co_return;
  while (true) {
    bool closed = false;
    {
      std::lock_guard guard(pipe->mutex_);
      closed = pipe->closed_;
      if (!closed && pipe->has_room()) {
        pipe->size_ += bytes.size();
        pipe->pieces_.push_back(std::move(bytes));
        pipe->moved_.notify_one();
        co_return;
      }
      pipe->changed_.reset();
    }
    if (closed) co_await loop::fail(Error::make(Code::closed, "nobody reads any more"));
    co_await pipe->changed_.wait();
  }
}

void FeedPipe::finish() {
  std::lock_guard guard(mutex_);
  ended_ = true;
  moved_.notify_one();
}

void FeedPipe::fail(Error error) {
  std::lock_guard guard(mutex_);
  if (!ended_) error_ = std::move(error);
  ended_ = true;
  moved_.notify_one();
}

Result<size_t> FeedPipe::read(char* buffer, size_t size) {
  std::unique_lock lock(mutex_);
  moved_.wait(lock, [this] { return !pieces_.empty() || ended_; });
  if (error_) return *error_;
  if (pieces_.empty()) return size_t{0};
  std::string& piece = pieces_.front();
  size_t count = std::min(size, piece.size());
  std::memcpy(buffer, piece.data(), count);
  bool was_full = !has_room();
  if (count == piece.size()) {
    pieces_.pop_front();
  } else {
    piece.erase(0, count);
  }
  size_ -= count;
  if (was_full && has_room()) wake_loop();
  return count;
}

void FeedPipe::close() {
  std::lock_guard guard(mutex_);
  closed_ = true;
  wake_loop();
}

Result<void> DrainPipe::write(std::string_view bytes) {
  if (bytes.empty()) return {};
  std::unique_lock lock(mutex_);
  moved_.wait(lock, [this] { return has_room() || closed_; });
  if (closed_) return Error::make(Code::closed, "nobody reads any more");
  bool was_empty = pieces_.empty();
  pieces_.emplace_back(bytes);
  size_ += bytes.size();
  if (was_empty) wake_loop();
  return {};
}

void DrainPipe::finish(Result<void> outcome) {
  std::lock_guard guard(mutex_);
  ended_ = true;
  if (!outcome.ok()) error_ = std::move(outcome).error();
  wake_loop();
}

Task<std::string> DrainPipe::read(std::shared_ptr<DrainPipe> pipe) {
  while (true) {
    std::string piece;
    bool ended = false;
    {
      std::lock_guard guard(pipe->mutex_);
      if (!pipe->pieces_.empty()) {
        piece = std::move(pipe->pieces_.front());
        pipe->pieces_.pop_front();
        pipe->size_ -= piece.size();
        pipe->moved_.notify_one();
      } else {
        ended = pipe->ended_;
      }
      pipe->changed_.reset();
    }
    if (!piece.empty()) co_return std::move(piece);
    if (ended && pipe->error_) co_await loop::fail(*pipe->error_);
    if (ended) co_return std::string();
    co_await pipe->changed_.wait();
  }
}

void DrainPipe::close() {
  std::lock_guard guard(mutex_);
  closed_ = true;
  moved_.notify_one();
}

}  // namespace orch::runtime::images
