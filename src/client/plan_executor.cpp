#include "client/plan_executor.h"

#include "base/text.h"
#include "plan/core/object.h"

namespace orch::client {

using plan::Action;
using plan::Verb;

namespace {

Target target_of(const plan::Ref& ref) {
  return Target{ref.group, ref.version, ref.resource, ref.ns, ref.name, ref.subresource};
}

bool is_stale(const Error& error) {
  return error.is(Code::conflict) || error.is(Code::already_exists) || error.is(Code::not_found);
}

// A namespace that is going away takes no new objects: that is no failure of who wanted one there.
bool is_namespace_going(const Error& error) {
  for (const Cause& cause : error.causes())
    if (cause.reason == "NamespaceTerminating") return true;
  return false;
}

}  // namespace

// The state of one execution; lives in execute()'s frame.
struct PlanExecutor::Run {
  plan::Plan plan;
  Value about;
  std::string source;
  Outcome outcome;
  bool last_failed = false;

  void fail(const Error& error) {
    last_failed = true;
    const bool stale = is_stale(error);
    if (outcome.state == Outcome::State::failed || (stale && outcome.state == Outcome::State::stale)) return;
    outcome.state = stale ? Outcome::State::stale : Outcome::State::failed;
    outcome.error = error;
  }
};

PlanExecutor::PlanExecutor(loop::Loop& loop, ApiPort& api, Informers& informers, EventRecorder& events)
    : loop_(loop), api_(api), informers_(informers), events_(events) {}

loop::Task<Outcome> PlanExecutor::execute(plan::Plan plan, Value about, std::string source) {
  Run run;
  run.plan = std::move(plan);
  run.about = std::move(about);
  run.source = std::move(source);
  const std::vector<Action>& actions = run.plan.actions;
  bool complete = true;
  for (size_t i = 0; i < actions.size() && complete;) {
    size_t end = i + 1;
    if (actions[i].batch != 0) {
      while (end < actions.size() && actions[end].batch == actions[i].batch) ++end;
      co_await run_batch(run, i, end);
    } else {
      run.last_failed = false;
      co_await run_one(run, i);
      complete = !run.last_failed;
    }
    i = end;
  }
  if (run.outcome.state == Outcome::State::done) note_all(run, run.plan.notes, {}, nullptr);
  co_return std::move(run.outcome);
}

// Slow start: 1, 2, 4, ... at the same time, so that a thousand equal mistakes are made once.
loop::Task<void> PlanExecutor::run_batch(Run& run, size_t first, size_t end) {
  run.last_failed = false;
  size_t size = 1;
  while (first < end && !run.last_failed) {
    loop::Scope scope(loop_);
    for (size_t i = 0; i < size && first < end; ++i) scope.spawn(run_one(run, first++));
    co_await scope.join();
    size *= 2;
  }
}

// Ends well whatever came of the action; `run` keeps it.
loop::Task<void> PlanExecutor::run_one(Run& run, size_t index) {
  const Action& action = run.plan.actions[index];
  std::string name = action.ref.name;
  auto result = co_await act(action, name).result();
  if (result.ok()) {
    note_all(run, action.on_success, name, nullptr);
    co_return;
  }
  const Error& error = result.error();
  if (action.verb == Verb::remove && error.is(Code::not_found)) {
    informers_.absorb(action.ref, Value(), action.uid);
    co_return;
  }
  if (action.verb == Verb::create) {
    if (error.is(Code::already_exists) && action.exists == plan::Conflict::ignore) co_return;
    if (is_namespace_going(error)) {
      run.last_failed = true;
      co_return;
    }
  }
  if (!is_stale(error)) note_all(run, action.on_failure, name, &error);
  run.fail(error);
}

loop::Task<void> PlanExecutor::act(const Action& action, std::string& name) {
  for (size_t i = 0; i < action.guards.size(); ++i) co_await check(action.guards[i]);
  WriteOptions options;
  Target target = target_of(action.ref);
  RemoveOptions removal;
  Value result;
  switch (action.verb) {
    case Verb::create:
      target.name.clear();
      result = co_await api_.create(target, action.object, options);
      break;
    case Verb::update:
      result = co_await api_.update(target, action.object, options);
      break;
    case Verb::merge_patch:
      result = co_await api_.patch(target, PatchType::merge, action.object, options);
      break;
    case Verb::remove:
      removal.uid = action.uid;
      removal.resource_version = action.resource_version;
      removal.propagation = action.propagation;
      removal.grace_seconds = action.grace_seconds;
      result = co_await api_.remove(target, removal);
      break;
    case Verb::remove_collection: {
      ListOptions which;
      removal.propagation = action.propagation;
      removal.grace_seconds = action.grace_seconds;
      co_await api_.remove_collection(target, which, removal);
      co_return;  // the watch tells of each
    }
  }
  if (action.verb == Verb::create) name = plan::name_of(result);
  informers_.absorb(action.ref, result, action.uid);
}

loop::Task<void> PlanExecutor::check(const plan::Guard& guard) {
  Target target = target_of(guard.ref);
  if (guard.condition == plan::Guard::Condition::empty) {
    ListOptions options;
    options.limit = 1;
    ListResult result = co_await api_.list(target, options);
    if (!result.items.empty())
      co_await loop::fail(Error::make(Code::conflict, "there are still " + target.resource + " in " + target.ns));
    co_return;
  }
  auto found = co_await api_.get(target).result();
  if (!found.ok() && found.error().is(Code::not_found)) co_return;
  if (!found.ok()) co_await loop::fail(found.error());
  if (guard.uid.empty() || plan::uid_of(found.value()) == guard.uid)
    co_await loop::fail(Error::make(Code::conflict, guard.ref.kind + " " + guard.ref.name + " exists"));
}

void PlanExecutor::note_all(const Run& run, const std::vector<plan::Note>& notes, const std::string& name,
                            const Error* error) {
  for (plan::Note note : notes) {
    note.message = replace_all(note.message, "{name}", name);
    if (error) note.message = replace_all(note.message, "{error}", error->message());
    events_.record(run.source, run.about, note);
  }
}

}  // namespace orch::client
