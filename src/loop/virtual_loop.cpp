#include "loop/virtual_loop.h"

namespace orch::loop {

VirtualLoop::VirtualLoop(Instant wall) : wall_base_(wall) {}

VirtualLoop::~VirtualLoop() {
  // What a callback owns may start others while it is destroyed; a few rounds are enough for any
  // sane program, and an insane one does not hang us.
  for (int round = 0; round < 100 && !(deferred_.empty() && timers_.empty() && posted_.empty()); ++round) {
    auto deferred = std::move(deferred_);
    auto posted = std::move(posted_);
    deferred_.clear();
    posted_.clear();
    deferred.clear();
    posted.clear();
    timers_.clear();
  }
}

void VirtualLoop::defer(Callback callback) { deferred_.push_back(std::move(callback)); }

void VirtualLoop::post(Callback callback) {
  std::lock_guard lock(posted_mutex_);
  posted_.push_back(std::move(callback));
}

Loop::TimerId VirtualLoop::start_timer(Mono at, Callback callback) {
  return timers_.add(at, std::move(callback));
}

void VirtualLoop::cancel_timer(TimerId id) { timers_.cancel(id); }

void VirtualLoop::offload_work(Callback work, Callback done) {
  defer([this, work = std::move(work), done = std::move(done)]() mutable {
    work();
    defer(std::move(done));
  });
}

bool VirtualLoop::run_turn() {
  {
    std::lock_guard lock(posted_mutex_);
    for (auto& callback : posted_) deferred_.push_back(std::move(callback));
    posted_.clear();
  }
  auto batch = std::move(deferred_);
  deferred_.clear();
  for (auto& callback : batch) {
    ++turns_;
    auto running = std::move(callback);
    running();
  }
  return !batch.empty();
}

bool VirtualLoop::run_next_timer(Mono until) {
  auto at = timers_.next();
  if (!at || *at > until) return false;
  now_ = std::max(now_, *at);
  auto callback = timers_.take_due(now_);
  ++turns_;
  callback();
  return true;
}

void VirtualLoop::run_until_idle() {
  while (run_turn() || run_next_timer(now_)) {
  }
}

void VirtualLoop::run_for(Duration duration) {
  Mono until = now_ + duration;
  run_until_idle();
  while (run_next_timer(until)) run_until_idle();
  now_ = until;
}

bool VirtualLoop::run_until(const bool& flag, Mono until) {
  while (!flag) {
    if (!run_turn() && !run_next_timer(until)) return false;
  }
  return true;
}

}  // namespace orch::loop
