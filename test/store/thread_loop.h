#pragma once
// ThreadLoop: a real-time Loop in 60 lines for tests of code with threads of its own: run() runs a
// task to its end, blocking while there is nothing to do.

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "loop/loop.h"

namespace orch::test {

class ThreadLoop final : public loop::Loop {
 public:
  Mono now() const override {
    return {std::chrono::steady_clock::now().time_since_epoch().count()};
  }
  Instant wall() const override { return {std::chrono::system_clock::now().time_since_epoch().count()}; }
  void defer(loop::Callback callback) override { ready_.push_back(std::move(callback)); }
  void post(loop::Callback callback) override {
    std::lock_guard guard(mutex_);
    posted_.push_back(std::move(callback));
    wake_.notify_one();
  }
  TimerId start_timer(Mono at, loop::Callback callback) override {
    timers_[{at, ++last_}] = std::move(callback);
    return last_;
  }
  void cancel_timer(TimerId id) override {
    std::erase_if(timers_, [&](const auto& entry) { return entry.first.second == id; });
  }
  void offload_work(loop::Callback work, loop::Callback done) override {
    work();
    defer(std::move(done));
  }

  // One turn; waits up to `most` for something to do.
  void turn(std::chrono::milliseconds most) {
    for (auto it = timers_.begin(); it != timers_.end() && it->first.first <= now();) {
      ready_.push_back(std::move(it->second));
      it = timers_.erase(it);
    }
    {
      std::unique_lock guard(mutex_);
      if (ready_.empty() && posted_.empty()) wake_.wait_for(guard, timers_.empty() ? most : std::chrono::milliseconds(1));
      for (auto& callback : posted_) ready_.push_back(std::move(callback));
      posted_.clear();
    }
    for (size_t n = ready_.size(); n > 0; --n) {
      loop::Callback callback = std::move(ready_.front());
      ready_.pop_front();
      callback();
    }
  }

  template <class T>
  Result<T> run(loop::Task<T> task) {
    bool done = false;
    auto set = [](void* flag) { *static_cast<bool*>(flag) = true; };
    if (!task.start(set, &done)) {
      while (!done) turn(std::chrono::milliseconds(100));
    }
    return std::move(task.finished());
  }

 private:
  std::deque<loop::Callback> ready_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<loop::Callback> posted_;
  std::map<std::pair<Mono, TimerId>, loop::Callback> timers_;
  TimerId last_ = 0;
};

}  // namespace orch::test
