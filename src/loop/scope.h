#pragma once
// Scope: owns running Tasks ("a nursery"). Destroying it cancels what still runs. cancel() may be
// called from one of its own tasks: the tasks are destroyed on the next turn.

#include <functional>
#include <list>
#include <memory>

#include "loop/loop.h"

namespace orch::loop {

class Scope {
 public:
  // `on_error` hears of each task that ended with an error (never of cancelled ones).
  explicit Scope(Loop& loop, std::function<void(const Error&)> on_error = {});
  // Not from one of its own tasks: those call cancel().
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  void spawn(Task<void> task);  // starts at once, runs until its first suspension
  void cancel();
  size_t size() const;
  // Resumes when no task is left. Not from one of its own tasks.
  Task<void> join();

 private:
  struct State;
  struct Child;
  using Children = std::list<std::unique_ptr<Child>>;
  static void ended(void* child);
  static void leave(const std::shared_ptr<State>& state, Children::iterator child);
  static void sweep_later(const std::shared_ptr<State>& state);
  static Task<void> wait_until_empty(std::shared_ptr<State> state);

  std::shared_ptr<State> state_;
};

}  // namespace orch::loop
