#pragma once
// Task<T>: a lazy coroutine with one owner, that yields a T or ends its caller with the error.
//
//   Task<int> twice(Source& source) {
//     int n = co_await source.read();        // a Task: on error this coroutine ends with it too
//     Config c = co_await parse(text);       // a plain Result<Config>: likewise
//     Result<int> r = co_await source.read().result();   // looks at the error instead
//     if (n < 0) co_await fail(Error::make(Code::internal, "negative"));
//     co_return 2 * n;
//   }
//
// Nothing runs until the Task is awaited (or given to a Scope). Destroying a Task that has not
// finished cancels it: its frame and those it awaits are destroyed, innermost first, and every
// awaitable takes its registration back in its destructor. All of it on the loop's thread.
//
// g++ 12, all tried: no co_await in a statement expression, and one co_await in an expression; no
// coroutine lambda with captures; parameters by value where the Task outlives the call; no initializer
// list in a co_await expression. And two that compile and go wrong:
// - A temporary inside a co_await expression that is an aggregate in braces (also an empty one, also
//   `{}` for an aggregate parameter), a lambda with captures, or a ?: that makes a temporary, is copied
//   bit by bit and freed twice. Name it first: `Job job{name}; co_await run(std::move(job));`
// - co_await as the condition of if, while or switch: the coroutine may end there. Name it first:
//   `bool more = co_await next(); if (more) ...`; `if (auto x = co_await next(); x.ok())` is fine.
// (test/floors looks for such lines.)

#include <coroutine>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/result.h"

namespace orch::loop {

template <class T = void>
class Task;

namespace detail {

class PromiseBase {
 public:
  std::suspend_always initial_suspend() noexcept { return {}; }
  void unhandled_exception() { ORCH_CHECK(!"a coroutine threw"); }

  virtual void set_error(Error error) = 0;
  bool done() const { return done_; }

  // Runs the coroutine for `parent` (null: a root). True if it finished right away.
  bool start(std::coroutine_handle<> self, std::coroutine_handle<> parent, PromiseBase* error_to) {
    continuation_ = parent;
    error_to_ = error_to;
    starting_ = true;
    self.resume();
    starting_ = false;
    return done_;
  }
  void set_on_done(void (*function)(void*), void* context) {
    on_done_ = function;
    on_done_context_ = context;
  }

  // The coroutine has its result (or, from fail_with, will never run again): tell who waits.
  void finish() {
    done_ = true;
    if (starting_) return;  // start() tells
    if (on_done_) return on_done_(on_done_context_);
    if (continuation_) continuation_.resume();
  }

  // Ends this coroutine, suspended for good, and every caller that did not ask for the Result.
  void fail_with(Error error) {
    PromiseBase* top = this;
    while (top->error_to_) {
      if (top->starting_) {  // its awaiter is on the stack below us and passes the error on
        break;
      }
      top = top->error_to_;
    }
    top->set_error(std::move(error));
    top->failed_ = true;
    top->finish();
  }
  bool failed() const { return failed_; }

 protected:
  ~PromiseBase() = default;
  bool done_ = false;
  bool starting_ = false;
  bool failed_ = false;

 private:
  std::coroutine_handle<> continuation_;
  PromiseBase* error_to_ = nullptr;  // the caller that ends with our error; null: it looks itself
  void (*on_done_)(void*) = nullptr;
  void* on_done_context_ = nullptr;
};

struct FinalAwaiter {
  bool await_ready() noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> self) noexcept {
    // Either may destroy the frame we stand in: touch nothing afterwards. An error that was
    // co_returned as a Result ends the callers like any other.
    auto& promise = self.promise();
    if (promise.result().ok()) return promise.finish();
    promise.fail_with(std::move(promise.result()).error());
  }
  void await_resume() noexcept {}
};

// Awaiting a plain Result<T>.
template <class T>
struct ResultAwaiter {
  Result<T> result;
  bool await_ready() { return result.ok(); }
  template <class P>
  void await_suspend(std::coroutine_handle<P> self) {
    self.promise().fail_with(std::move(result).error());
  }
  auto await_resume() {
    if constexpr (!std::is_void_v<T>) return std::move(result).value();
  }
};

// Awaiting a Task: `Propagate` ends the caller with the error, else the Result is handed over.
template <class T, bool Propagate>
struct TaskAwaiter {
  Task<T> task;
  bool await_ready() { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> self) {
    PromiseBase* error_to = Propagate ? &self.promise() : nullptr;
    auto& child = task.handle_.promise();
    if (!child.start(task.handle_, self, error_to)) return true;
    if (!Propagate || child.result().ok()) return false;
    self.promise().fail_with(std::move(child.result()).error());
    return true;
  }
  auto await_resume() {
    if constexpr (!Propagate) {
      return std::move(task.handle_.promise().result());
    } else if constexpr (!std::is_void_v<T>) {
      return std::move(task.handle_.promise().result()).value();
    }
  }
};

template <class T>
class Promise : public PromiseBase {
 public:
  Task<T> get_return_object();
  FinalAwaiter final_suspend() noexcept { return {}; }
  void set_error(Error error) override { result_.emplace(std::move(error)); }
  Result<T>& result() {
    ORCH_CHECK(result_.has_value());
    return *result_;
  }

 protected:
  ~Promise() = default;
  std::optional<Result<T>> result_;
};

template <class T>
struct ValuePromise final : Promise<T> {
  template <class U>
    requires std::is_constructible_v<Result<T>, U&&>
  void return_value(U&& value) {
    this->result_.emplace(std::forward<U>(value));
  }
};

struct VoidPromise final : Promise<void> {
  void return_void() { result_.emplace(); }
};

}  // namespace detail

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = std::conditional_t<std::is_void_v<T>, detail::VoidPromise, detail::ValuePromise<T>>;
  using Handle = std::coroutine_handle<promise_type>;

  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  // (Not await_transform: g++ 12 copies an awaitable that comes out of it as a reference.)
  detail::TaskAwaiter<T, true> operator co_await() && { return {std::move(*this)}; }
  // co_await task.result(): the Result<T>, without ending the caller on error.
  detail::TaskAwaiter<T, false> result() && { return {std::move(*this)}; }

  // For roots (Scope, run): starts the coroutine; `on_done(context)` is called when it has finished
  // later. Returns true, without the call, if it finished at once.
  bool start(void (*on_done)(void*), void* context) {
    handle_.promise().set_on_done(on_done, context);
    return handle_.promise().start(handle_, {}, nullptr);
  }
  bool done() const { return handle_.promise().done(); }
  Result<T>& finished() { return handle_.promise().result(); }

 private:
  template <class U, bool P>
  friend struct detail::TaskAwaiter;
  Handle handle_;
};

namespace detail {
template <class T>
Task<T> Promise<T>::get_return_object() {
  using P = typename Task<T>::promise_type;
  return Task<T>(std::coroutine_handle<P>::from_promise(static_cast<P&>(*this)));
}
}  // namespace detail

// co_await fail(error): ends this coroutine with the error.
struct Fail {
  Error error;
  bool await_ready() { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> self) {
    self.promise().fail_with(std::move(error));
  }
  void await_resume() {}
};
inline Fail fail(Error error) { return {std::move(error)}; }

}  // namespace orch::loop

namespace orch {

// co_await result: the value, or the end of this coroutine with the error. Found by ADL, so that
// Result itself knows nothing of coroutines.
template <class T>
loop::detail::ResultAwaiter<T> operator co_await(Result<T> result) {
  return {std::move(result)};
}

}  // namespace orch
