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
  ~Wakeup() {
    if (state_) state_->handle = {};
  }
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

//   auto work = [x = std::move(x)] { return hash(x); };
//   R r = co_await offload(loop, work);
// `work` must have a name (task.h says why) and is moved from. Destroying the waiting coroutine
// abandons the result; the work itself runs to its end, so it must own everything it touches.
template <class F>
class offload final : public Wakeup {
 public:
  using R = std::invoke_result_t<F&>;
  static_assert(!std::is_void_v<R>, "return something, a Result<void> for instance");
  offload(Loop& loop, F& work) : loop_(loop), shared_(std::make_shared<Shared>(std::move(work))) {}
  R await_resume() { return std::move(*shared_->result); }

 private:
  struct Shared {
    explicit Shared(std::decay_t<F> f) : work(std::move(f)) {}
    std::decay_t<F> work;
    std::optional<R> result;
  };
  void arm(Resume resume) override {
    loop_.offload_work([shared = shared_] { shared->result.emplace(shared->work()); },
                       std::move(resume));
  }
  Loop& loop_;
  std::shared_ptr<Shared> shared_;
};

// A flag one can wait for. set() wakes all waiters (deferred, in the order they came); stays set until
// reset(). Waiters live in their coroutines' frames: one costs no allocation, and one that is
// destroyed takes itself off the list.
class Event {
  struct Node {
    Node* previous = this;
    Node* next = this;
    bool linked() const { return next != this; }
    void unlink() {
      previous->next = next;
      next->previous = previous;
      previous = next = this;
    }
    void append(Node& node) {
      node.previous = previous;
      node.next = this;
      previous->next = &node;
      previous = &node;
    }
  };
  struct List : Node {
    ~List() {
      while (linked()) next->unlink();
    }
  };

 public:
  explicit Event(Loop& loop) : loop_(loop) {}
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void set();
  void reset() { set_ = false; }
  bool is_set() const { return set_; }
  bool has_waiters() const { return waiters_.linked(); }

  class Wait final : Node {
   public:
    explicit Wait(Event& event) : event_(event) {}
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;
    ~Wait() { unlink(); }
    bool await_ready() const { return event_.set_; }
    void await_suspend(std::coroutine_handle<> handle) {
      handle_ = handle;
      event_.waiters_.append(*this);
    }
    void await_resume() {}

   private:
    friend class Event;
    Event& event_;
    std::coroutine_handle<> handle_;
  };
  Wait wait() { return Wait(*this); }

 private:
  Loop& loop_;
  List waiters_;
  bool set_ = false;
};

inline void Event::set() {
  if (set_) return;
  set_ = true;
  if (!waiters_.linked()) return;
  auto woken = std::make_shared<List>();
  while (waiters_.linked()) {
    Node* node = waiters_.next;
    node->unlink();
    woken->append(*node);
  }
  loop_.defer([woken] {
    while (woken->linked()) {
      auto* wait = static_cast<Wait*>(woken->next);
      wait->unlink();
      wait->handle_.resume();
    }
  });
}

}  // namespace orch::loop
