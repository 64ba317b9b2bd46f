#pragma once
// PlanExecutor: carries a Plan out through the ApiPort (plan/core/plan.h says in which order), puts
// what came of it into the informers, and records the notes.

#include <string>

#include "client/event_recorder.h"
#include "client/informers.h"
#include "plan/core/plan.h"

namespace orch::client {

// What came of a plan.
struct Outcome {
  enum class State : uint8_t {
    done,
    stale,   // the world had moved on (conflict, a name taken, an object gone): look again soon
    failed,  // `error` says why: try again later
  };
  State state = State::done;
  std::optional<Error> error;
};

class PlanExecutor {
 public:
  PlanExecutor(loop::Loop& loop, ApiPort& api, Informers& informers, EventRecorder& events);

  // `about`: a reference to the object the plan is for; `source`: who says so in its Events.
  loop::Task<Outcome> execute(plan::Plan plan, Value about, std::string source);

 private:
  struct Run;
  loop::Task<void> run_batch(Run& run, size_t first, size_t end);
  loop::Task<void> run_one(Run& run, size_t index);
  loop::Task<void> act(const plan::Action& action, std::string& name);
  loop::Task<void> check(const plan::Guard& guard);
  void note_all(const Run& run, const std::vector<plan::Note>& notes, const std::string& name, const Error* error);

  loop::Loop& loop_;
  ApiPort& api_;
  Informers& informers_;
  EventRecorder& events_;
};

}  // namespace orch::client
