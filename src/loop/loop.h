#pragma once
// Loop: the one thread that owns all state, its clock, its timers and its door to worker threads.
// Two implementations: UvLoop (libuv, uv_loop.h) and VirtualLoop (virtual_loop.h), where time jumps
// from timer to timer and offloaded work runs inline, so that a simulated day is milliseconds.
//
// Everything but post() is called on the loop's thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/time.h"
#include "loop/task.h"

namespace orch::loop {

using Callback = std::function<void()>;

class Loop {
 public:
  virtual ~Loop() = default;

  virtual Mono now() const = 0;      // cached once per turn of the loop
  virtual Instant wall() const = 0;  // goes into objects

  // Runs `callback` on a later turn, in order. Every wake-up of a coroutine goes this way, so that
  // nothing is resumed inside somebody else's call.
  virtual void defer(Callback callback) = 0;
  // The same from any thread.
  virtual void post(Callback callback) = 0;

  using TimerId = uint64_t;
  virtual TimerId start_timer(Mono at, Callback callback) = 0;
  virtual void cancel_timer(TimerId id) = 0;  // unknown or fired: nothing happens

  // `work` on a worker thread, then `done` on the loop's. Values in, values out.
  virtual void offload_work(Callback work, Callback done) = 0;
};

// Awaitable that resumes once somebody calls the function it gave away; the base of the others.
// The registration is shared, so a destroyed coroutine is never resumed.
class Wakeup {
 public:
  using Resume = std::function<void()>;
  Wakeup() = default;
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;
  ~Wakeup() {
    if (state_) state_->handle = {};
  }
  bool await_ready() const { return fired_; }
  void await_suspend(std::coroutine_handle<> handle) {
    state_ = std::make_shared<State>();
    state_->handle = handle;
    arm([state = state_] {
      if (auto h = std::exchange(state->handle, {})) h.resume();
    });
  }
  void await_resume() {}

 protected:
  virtual void arm(Resume resume) = 0;  // must not call resume before it returns
  bool fired_ = false;

 private:
  struct State {
    std::coroutine_handle<> handle;
  };
  std::shared_ptr<State> state_;
};

// co_await sleep(loop, 5s)
class sleep final : public Wakeup {
 public:
  sleep(Loop& loop, Duration duration) : loop_(loop), at_(loop.now() + duration) {}
  ~sleep() {
    if (timer_) loop_.cancel_timer(*timer_);
  }

 private:
  void arm(Resume resume) override { timer_ = loop_.start_timer(at_, std::move(resume)); }
  Loop& loop_;
  Mono at_;
  std::optional<Loop::TimerId> timer_;
};

// co_await yield_turn(loop): lets others run.
class yield_turn final : public Wakeup {
 public:
  explicit yield_turn(Loop& loop) : loop_(loop) {}

 private:
  void arm(Resume resume) override { loop_.defer(std::move(resume)); }
  Loop& loop_;
};

// R r = co_await offload(loop, [x = std::move(x)] { return work(x); });
// Destroying the waiting coroutine abandons the result; the work itself runs to its end, so it must
// own everything it touches.
template <class F>
class offload final : public Wakeup {
 public:
  using R = std::invoke_result_t<F>;
  offload(Loop& loop, F work) : loop_(loop), shared_(std::make_shared<Shared>(std::move(work))) {}
  R await_resume() { return std::move(*shared_->result); }

 private:
  struct Shared {
    explicit Shared(F f) : work(std::move(f)) {}
    F work;
    std::optional<R> result;
  };
  void arm(Resume resume) override {
    loop_.offload_work([shared = shared_] { shared->result.emplace(shared->work()); },
                       std::move(resume));
  }
  Loop& loop_;
  std::shared_ptr<Shared> shared_;
};

// A flag one can wait for. set() wakes all waiters (deferred); stays set until reset().
class Event {
 public:
  explicit Event(Loop& loop) : loop_(loop), waiters_(std::make_shared<Waiters>()) {}
  void set();
  void reset() { set_ = false; }
  bool is_set() const { return set_; }

  class Wait final : public Wakeup {
   public:
    explicit Wait(Event& event) : event_(event) { fired_ = event.set_; }

   private:
    void arm(Resume resume) override { event_.waiters_->push_back(std::move(resume)); }
    Event& event_;
  };
  Wait wait() { return Wait(*this); }

 private:
  using Waiters = std::vector<std::function<void()>>;
  Loop& loop_;
  std::shared_ptr<Waiters> waiters_;
  bool set_ = false;
};

inline void Event::set() {
  if (set_) return;
  set_ = true;
  Waiters waiters;
  waiters.swap(*waiters_);
  for (auto& resume : waiters) loop_.defer(std::move(resume));
}

}  // namespace orch::loop
