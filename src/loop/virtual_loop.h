#pragma once
// VirtualLoop: a Loop whose time stands still until it is told to move, and then jumps from timer to
// timer. Offloaded work runs inline, on a turn of its own. The same calls give the same order of
// callbacks on every run. For tests and simulations.

#include <mutex>
#include <vector>

#include "loop/loop.h"
#include "loop/timers.h"

namespace orch::loop {

class VirtualLoop final : public Loop {
 public:
  // 2026-01-01T00:00:00Z unless told otherwise.
  explicit VirtualLoop(Instant wall = Instant{1'767'225'600'000'000'000});
  // Tasks and Scopes on this loop must be gone by now.
  ~VirtualLoop() override;

  Mono now() const override { return now_; }
  Instant wall() const override { return wall_base_ + (now_ - Mono{}); }
  void defer(Callback callback) override;
  void post(Callback callback) override;
  TimerId start_timer(Mono at, Callback callback) override;
  void cancel_timer(TimerId id) override;
  void offload_work(Callback work, Callback done) override;

  // Somebody set the machine's clock: wall() changes, now() does not.
  void set_wall(Instant wall) { wall_base_ = wall - (now_ - Mono{}); }

  // Runs everything that can run without time passing.
  void run_until_idle();
  // Lets `duration` pass, with every timer that falls into it.
  void run_for(Duration duration);
  // Runs `task` to its end; time passes as its timers ask. Code::internal if nothing is left that
  // could wake it, Code::timeout if it takes longer than `limit` of virtual time.
  template <class T>
  Result<T> run(Task<T> task, Duration limit = 24h);

  // Callbacks that ran so far, to see that an idle program does nothing.
  uint64_t turns() const { return turns_; }
  bool has_timers() const { return !timers_.empty(); }

 private:
  bool run_turn();                         // false: nothing is ready
  bool run_next_timer(Mono until);         // moves the clock; false: no timer until then
  bool run_until(const bool& flag, Mono until);

  Mono now_{};
  Instant wall_base_;
  std::vector<Callback> deferred_;
  Timers timers_;
  uint64_t turns_ = 0;
  std::mutex posted_mutex_;
  std::vector<Callback> posted_;
};

template <class T>
Result<T> VirtualLoop::run(Task<T> task, Duration limit) {
  bool done = false;
  Mono until = now_ + limit;
  auto set = [](void* flag) { *static_cast<bool*>(flag) = true; };
  if (!task.start(set, &done) && !run_until(done, until)) {
    if (timers_.empty()) return Error::make(Code::internal, "the task waits for nothing that can happen");
    return Error::make(Code::timeout, "the task took too long");
  }
  return std::move(task.finished());
}

}  // namespace orch::loop
