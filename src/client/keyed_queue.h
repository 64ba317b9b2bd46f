#pragma once
// KeyedQueue: keys that need work, each at most once in the queue and with at most one worker at a
// time; a key added while it is worked on comes back when the worker is done. Failed keys return
// later and later: `base` doubled with each failure in a row, up to `most`. On the loop's thread.

#include <deque>
#include <map>
#include <set>

#include "loop/loop.h"

namespace orch::client {

struct BackOff {
  Duration base = 5ms;
  Duration most = 1000s;
  Duration after(int failures) const {
    Duration delay = base;
    for (int i = 0; i < failures && delay < most; ++i) delay *= 2;
    return delay < most ? delay : most;
  }
};

template <class K>
class KeyedQueue {
 public:
  KeyedQueue(loop::Loop& loop, BackOff back_off) : loop_(loop), changed_(loop), back_off_(back_off) {}
  ~KeyedQueue() {
    for (auto& [key, timer] : timers_) loop_.cancel_timer(timer.id);
  }
  KeyedQueue(const KeyedQueue&) = delete;
  KeyedQueue& operator=(const KeyedQueue&) = delete;

  void add(const K& key) {
    if (closed_ || !wanted_.insert(key).second) return;
    if (worked_on_.count(key)) return;
    ready_.push_back(key);
    changed_.set();
  }
  // Of several waits for a key the shortest counts.
  void add_after(const K& key, Duration delay) {
    if (closed_) return;
    if (delay <= Duration{}) return add(key);
    const Mono at = loop_.now() + delay;
    auto known = timers_.find(key);
    if (known != timers_.end()) {
      if (known->second.at <= at) return;
      loop_.cancel_timer(known->second.id);
    }
    auto fire = [this, key] {
      timers_.erase(key);
      add(key);
    };
    timers_[key] = Timer{at, loop_.start_timer(at, fire)};
  }
  void add_failed(const K& key) { add_after(key, back_off_.after(failures_[key]++)); }
  void forget(const K& key) { failures_.erase(key); }
  int failures(const K& key) const {
    auto at = failures_.find(key);
    return at == failures_.end() ? 0 : at->second;
  }

  // The next key, which is this worker's until done(). Code::closed after close().
  loop::Task<K> take() {
    while (ready_.empty() && !closed_) {
      changed_.reset();
      co_await changed_.wait();
    }
    if (closed_) co_await loop::fail(Error::make(Code::closed, "the queue is closed"));
    K key = std::move(ready_.front());
    ready_.pop_front();
    wanted_.erase(key);
    worked_on_.insert(key);
    co_return std::move(key);
  }
  void done(const K& key) {
    worked_on_.erase(key);
    if (closed_ || !wanted_.count(key)) return;
    ready_.push_back(key);
    changed_.set();
  }
  // No more keys are given out, waiting ones are dropped.
  void close() {
    closed_ = true;
    for (auto& [key, timer] : timers_) loop_.cancel_timer(timer.id);
    timers_.clear();
    changed_.set();
  }
  size_t size() const { return ready_.size(); }
  size_t in_work() const { return worked_on_.size(); }

 private:
  struct Timer {
    Mono at;
    loop::Loop::TimerId id = 0;
  };
  loop::Loop& loop_;
  loop::Event changed_;
  BackOff back_off_;
  std::deque<K> ready_;
  std::set<K> wanted_;     // to be given out: in ready_, or as soon as its worker is done
  std::set<K> worked_on_;
  std::map<K, int> failures_;
  std::map<K, Timer> timers_;
  bool closed_ = false;
};

}  // namespace orch::client
