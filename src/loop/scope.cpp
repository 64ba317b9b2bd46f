#include "loop/scope.h"

namespace orch::loop {

struct Scope::Child {
  explicit Child(Task<void> t) : task(std::move(t)) {}
  Task<void> task;
  std::weak_ptr<State> state;  // gone: the scope is being destroyed
  Children::iterator place;
  bool cancelled = false;
};

struct Scope::State {
  State(Loop& l, std::function<void(const Error&)> f) : loop(l), on_error(std::move(f)), empty(l) {}
  Loop& loop;
  std::function<void(const Error&)> on_error;
  Children children;
  Children leaving;  // finished or cancelled: their frames go on the next turn
  bool sweep_deferred = false;
  Event empty;
};

Scope::Scope(Loop& loop, std::function<void(const Error&)> on_error)
    : state_(std::make_shared<State>(loop, std::move(on_error))) {
  state_->empty.set();
}

Scope::~Scope() {
  // Frames may hold the last reference to things that look at the scope: empty lists first.
  Children children = std::move(state_->children);
  Children leaving = std::move(state_->leaving);
  state_->children.clear();
  state_->leaving.clear();
  for (auto& child : children) child->cancelled = true;
  children.clear();
  leaving.clear();
  state_->empty.set();
}

size_t Scope::size() const { return state_->children.size(); }

void Scope::spawn(Task<void> task) {
  auto state = state_;  // the task may destroy what owns us, on a later turn, but be safe
  auto& children = state->children;
  auto place = children.insert(children.end(), std::make_unique<Child>(std::move(task)));
  Child& child = **place;
  child.state = state;
  child.place = place;
  state->empty.reset();
  if (child.task.start(&Scope::ended, &child)) ended(&child);
}

// Called from the task's last breath (its frame is still on the stack) or from spawn.
void Scope::ended(void* context) {
  auto& child = *static_cast<Child*>(context);
  auto state = child.state.lock();
  if (!state || child.cancelled) return;
  auto& result = child.task.finished();
  auto error = result.ok() ? std::optional<Error>() : std::optional<Error>(std::move(result).error());
  leave(state, child.place);
  if (error && state->on_error) state->on_error(*error);
}

void Scope::leave(const std::shared_ptr<State>& state, Children::iterator child) {
  state->leaving.splice(state->leaving.end(), state->children, child);
  sweep_later(state);
  if (state->children.empty()) state->empty.set();
}

void Scope::sweep_later(const std::shared_ptr<State>& state) {
  if (std::exchange(state->sweep_deferred, true)) return;
  state->loop.defer([state] {
    state->sweep_deferred = false;
    Children leaving = std::move(state->leaving);
    state->leaving.clear();
    leaving.clear();  // destructors may spawn, cancel and leave
  });
}

void Scope::cancel() {
  if (state_->children.empty()) return;
  for (auto& child : state_->children) child->cancelled = true;
  state_->leaving.splice(state_->leaving.end(), state_->children);
  sweep_later(state_);
  state_->empty.set();
}

Task<void> Scope::join() { return wait_until_empty(state_); }

Task<void> Scope::wait_until_empty(std::shared_ptr<State> state) {
  while (!state->children.empty()) co_await state->empty.wait();
}

}  // namespace orch::loop
