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
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  void spawn(Task<void> task);  // starts at once, runs until its first suspension
  void cancel();
  size_t size() const { return state_->children.size(); }
  // Resumes when no task is left.
  Task<void> join();

 private:
  struct Child;
  struct State {
    std::list<std::unique_ptr<Child>> children;
    std::function<void(const Error&)> on_error;
    std::unique_ptr<Event> empty;
  };
  Loop& loop_;
  std::shared_ptr<State> state_;
};

}  // namespace orch::loop
