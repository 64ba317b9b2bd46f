#pragma once
// PlanWorld: runs reconcilers against a FakeCluster by hand, one plan after the other, without loop
// or client: for tests of decisions. Every reconcile is done twice, to see that it is deterministic.

#include <catch2/catch_test_macros.hpp>

#include "support/fake_cluster.h"

namespace orch::test {

class PlanWorld : public FakeCluster {
 public:
  explicit PlanWorld(std::vector<plan::Reconciler> reconcilers) : reconcilers_(std::move(reconcilers)) {}

  std::vector<plan::Note> notes;  // recorded so far
  std::string root_ca = "root certificate";

  plan::Plan decide(const plan::Reconciler& reconciler, const plan::ObjectKey& key, const Error* failure = nullptr) {
    auto& waiting = waiting_[std::string(reconciler.name)];
    auto since = waiting.find(key);
    plan::Context context{now, Mono{now.ns}, failure, root_ca};
    if (since != waiting.end()) context.waiting_since = since->second;
    plan::Plan first = reconciler.reconcile(snapshot(), key, context);
    plan::Plan second = reconciler.reconcile(snapshot(), key, context);
    REQUIRE(plan::format_plan(first) == plan::format_plan(second));
    if (first.requeue_after) {
      waiting.emplace(key, context.mono);
    } else if (first.empty()) {
      waiting.erase(key);
    }
    return first;
  }

  // The first error, if any.
  std::optional<Error> act(const plan::Plan& planned) {
    for (const plan::Action& action : planned.actions) {
      auto result = act(action);
      if (!result.ok()) return std::move(result).error();
      notes.insert(notes.end(), action.on_success.begin(), action.on_success.end());
    }
    notes.insert(notes.end(), planned.notes.begin(), planned.notes.end());
    return std::nullopt;
  }

  // One plan for each object of each reconciler's type; how many plans had something to do.
  size_t step() {
    size_t busy = 0;
    for (const plan::Reconciler& reconciler : reconcilers_) {
      for (const plan::ObjectKey& key : keys_for(reconciler)) {
        plan::Plan planned = decide(reconciler, key);
        if (planned.empty()) continue;
        ++busy;
        act(planned);
        if (after_plan) after_plan();
      }
    }
    return busy;
  }
  std::function<void()> after_plan;  // invariants

  // Steps until nothing is left to do. False if that takes more than `most` steps.
  bool settle(size_t most = 100) {
    for (size_t i = 0; i < most; ++i)
      if (step() == 0) return true;
    return false;
  }
  // Settles, and lets pods become ready, until neither changes anything.
  bool roll_out(size_t most = 200) {
    for (size_t i = 0; i < most; ++i) {
      if (!settle()) return false;
      if (make_pods_ready() == 0) return true;
    }
    return false;
  }

 private:
  // One for each object of its type; a reconciler without a type is for all.
  std::vector<plan::ObjectKey> keys_for(const plan::Reconciler& reconciler) const {
    std::vector<plan::ObjectKey> keys;
    for (const auto& known : snapshot().known_types()) {
      const bool any = reconciler.type.resource.empty();
      if (!any && !known.type.same(reconciler.type)) continue;
      for (const Value& object : list(known.type)) {
        keys.push_back(plan::key_of(object));
        if (any) keys.back().resource = known.type.id();
      }
    }
    return keys;
  }
  Result<Value> act(const plan::Action& action) {
    for (const plan::Guard& guard : action.guards)
      if (!holds(guard)) return Error::make(Code::conflict, "a guard does not hold");
    switch (action.verb) {
      case plan::Verb::create: {
        auto result = create(action.ref, action.object);
        const bool taken = !result.ok() && result.error().is(Code::already_exists);
        if (taken && action.exists == plan::Conflict::ignore) return Value();
        return result;
      }
      case plan::Verb::update: return update(action.ref, action.object);
      case plan::Verb::merge_patch: return merge_patch(action.ref, action.object);
      case plan::Verb::remove: {
        Removal removal{action.uid, action.resource_version, action.propagation, action.grace_seconds};
        auto result = remove(action.ref, removal);
        if (!result.ok() && result.error().is(Code::not_found)) return Value();
        return result;
      }
      case plan::Verb::remove_collection: return remove_collection(action.ref);
    }
    return Value();
  }
  bool holds(const plan::Guard& guard) const {
    plan::Type type = type_of(guard.ref);
    if (guard.condition == plan::Guard::Condition::empty) return list(type, guard.ref.ns).empty();
    Value found = get(type, guard.ref.ns, guard.ref.name);
    return found.is_null() || (!guard.uid.empty() && plan::uid_of(found) != guard.uid);
  }

  std::vector<plan::Reconciler> reconcilers_;
  std::map<std::string, std::map<plan::ObjectKey, Mono>> waiting_;  // Context::waiting_since, by reconciler
};

}  // namespace orch::test
