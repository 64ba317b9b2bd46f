#pragma once
// Queue<T>: values from anywhere on the loop to one coroutine that waits for them. Unbounded; who
// pushes must know a bound.

#include <deque>

#include "loop/loop.h"

namespace orch::loop {

template <class T>
class Queue {
 public:
  explicit Queue(Loop& loop) : changed_(loop) {}

  void push(T value) {
    values_.push_back(std::move(value));
    changed_.set();
  }
  // What is in the queue can still be taken; then pop() fails with Code::closed.
  void close() {
    closed_ = true;
    changed_.set();
  }
  size_t size() const { return values_.size(); }

  Task<T> pop() {
    while (values_.empty()) {
      if (closed_) co_await fail(Error::make(Code::closed, "the queue is closed"));
      changed_.reset();
      co_await changed_.wait();
    }
    T value = std::move(values_.front());
    values_.pop_front();
    co_return std::move(value);
  }

 private:
  std::deque<T> values_;
  Event changed_;
  bool closed_ = false;
};

}  // namespace orch::loop
