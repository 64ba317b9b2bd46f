#include "plan/gc/garbage_collector.h"

#include <optional>

#include "base/text.h"
#include "plan/core/index.h"
#include "plan/core/object.h"

namespace orch::plan {

namespace {

constexpr std::string_view foreground_finalizer = "foregroundDeletion";
constexpr std::string_view orphan_finalizer = "orphan";

struct Dependent {
  Type type;
  Value object;
};

std::vector<Dependent> dependents_of(const Snapshot& snapshot, std::string_view uid) {
  std::vector<Dependent> dependents;
  for (const auto& known : snapshot.known_types())
    for (Value& object : snapshot.indexed(known.type, index::owner, uid))
      dependents.push_back(Dependent{known.type, std::move(object)});
  return dependents;
}

std::optional<Type> type_with_id(const Snapshot& snapshot, std::string_view id) {
  for (const auto& known : snapshot.known_types())
    if (known.watched && known.type.id() == id) return known.type;
  return std::nullopt;
}

// The type that an owner reference speaks of, whatever its version.
std::optional<Type> type_of_owner(const Snapshot& snapshot, const Value& reference) {
  std::string_view api_version = reference["apiVersion"].as_string();
  auto parts = split_once(api_version, '/');
  std::string_view group = parts ? parts->first : std::string_view();
  for (const auto& known : snapshot.known_types())
    if (known.watched && known.type.group == group && known.type.kind == reference["kind"].as_string())
      return known.type;
  return std::nullopt;
}

bool is_deleting_dependents(const Value& object) {
  return is_deleting(object) && has_finalizer(object, foreground_finalizer);
}

enum class OwnerState : uint8_t {
  solid,    // there, or nobody can tell
  waiting,  // being deleted in the foreground: its dependents go first
  gone,
};

struct Owners {
  bool solid = false, waiting = false;
  std::vector<std::string> lost;  // uids of owners that are waiting or gone
  std::vector<Guard> guards;
};

OwnerState state_of_owner(const Snapshot& snapshot, const Value& dependent, const Value& reference, Owners& owners) {
  auto type = type_of_owner(snapshot, reference);
  if (!type) return OwnerState::solid;
  // An object of the whole cluster cannot be owned from inside a namespace: leave it alone.
  if (type->namespaced() && namespace_of(dependent).empty()) return OwnerState::solid;
  std::string_view ns = type->namespaced() ? namespace_of(dependent) : std::string_view();
  std::string_view uid = reference["uid"].as_string();
  const Value owner = snapshot.get(*type, ns, reference["name"].as_string());
  if (!owner.is_null() && uid_of(owner) == uid)
    return is_deleting_dependents(owner) ? OwnerState::waiting : OwnerState::solid;
  owners.guards.push_back(
      Guard{Guard::Condition::absent, ref_to(*type, ns, reference["name"].as_string()), std::string(uid)});
  return OwnerState::gone;
}

Owners look_at_owners(const Snapshot& snapshot, const Value& object) {
  Owners owners;
  for (const Value& reference : metadata(object)["ownerReferences"].items()) {
    switch (state_of_owner(snapshot, object, reference, owners)) {
      case OwnerState::solid: owners.solid = true; break;
      case OwnerState::waiting:
        owners.waiting = true;
        owners.lost.emplace_back(reference["uid"].as_string());
        break;
      case OwnerState::gone: owners.lost.emplace_back(reference["uid"].as_string()); break;
    }
  }
  return owners;
}

bool blocks(const Value& dependent, std::string_view owner_uid) {
  for (const Value& reference : metadata(dependent)["ownerReferences"].items())
    if (reference["uid"].as_string() == owner_uid) return reference["blockOwnerDeletion"].as_bool();
  return false;
}

// No owner shall wait for this object: it is part of a circle of objects that wait for each other.
Value without_blocking(const Value& object) {
  std::vector<Value> references;
  for (const Value& reference : metadata(object)["ownerReferences"].items())
    references.push_back(reference["blockOwnerDeletion"].as_bool() ? reference.with("blockOwnerDeletion", false)
                                                                   : reference);
  return object.with_path({"metadata", "ownerReferences"}, Value::list(std::move(references)));
}

Action removal(const Type& type, const Value& object, const Owners& owners, std::string_view propagation) {
  Action action = remove(type, object);
  action.resource_version = resource_version_of(object);
  action.propagation = propagation;
  action.guards = owners.guards;
  return action;
}

void plan_foreground(const Snapshot& snapshot, const Type& type, const Value& object, Plan& plan) {
  for (const Dependent& dependent : dependents_of(snapshot, uid_of(object)))
    if (blocks(dependent.object, uid_of(object))) return;  // it has a key of its own, and we hear of its end
  plan.add(update(type, without_finalizer(object, foreground_finalizer)));
}

void plan_orphaning(const Snapshot& snapshot, const Type& type, const Value& object, Plan& plan) {
  for (const Dependent& dependent : dependents_of(snapshot, uid_of(object)))
    plan.add(update(dependent.type, without_owner(dependent.object, uid_of(object))));
  plan.add(update(type, without_finalizer(object, orphan_finalizer)));
}

void plan_for_dependent(const Snapshot& snapshot, const Type& type, const Value& object, Plan& plan) {
  Owners owners = look_at_owners(snapshot, object);
  if (owners.lost.empty()) return;
  if (owners.solid) {
    Value kept = object;
    for (const std::string& uid : owners.lost) kept = without_owner(kept, uid);
    Action action = update(type, kept);
    action.guards = owners.guards;
    plan.add(std::move(action));
    return;
  }
  const std::vector<Dependent> own = owners.waiting ? dependents_of(snapshot, uid_of(object)) : std::vector<Dependent>();
  if (!own.empty()) {
    Action action = removal(type, object, owners, "Foreground");
    for (const Dependent& dependent : own) {
      if (!is_deleting_dependents(dependent.object)) continue;
      plan.add(update(type, without_blocking(object)));
      action.resource_version.clear();  // the update before it changes it
      break;
    }
    plan.add(std::move(action));
    return;
  }
  const bool orphans = has_finalizer(object, orphan_finalizer), waits = has_finalizer(object, foreground_finalizer);
  plan.add(removal(type, object, owners, orphans ? "Orphan" : waits ? "Foreground" : "Background"));
}

}  // namespace

Plan reconcile_garbage(const Snapshot& snapshot, const ObjectKey& key, const Context&) {
  Plan plan;
  auto type = type_with_id(snapshot, key.resource);
  if (!type) return plan;
  const Value object = snapshot.get(*type, key.ns, key.name);
  if (object.is_null()) return plan;
  if (!is_deleting(object)) {
    plan_for_dependent(snapshot, *type, object, plan);
  } else if (has_finalizer(object, orphan_finalizer)) {
    plan_orphaning(snapshot, *type, object, plan);
  } else if (has_finalizer(object, foreground_finalizer)) {
    plan_foreground(snapshot, *type, object, plan);
  }
  return plan;
}

namespace {

ObjectKey key_in(const Type& type, const Value& object) {
  return ObjectKey{type.id(), std::string(namespace_of(object)), std::string(name_of(object))};
}

void push_dependents(const Snapshot& snapshot, const Value& owner, std::vector<ObjectKey>& keys) {
  for (const Dependent& dependent : dependents_of(snapshot, uid_of(owner)))
    keys.push_back(key_in(dependent.type, dependent.object));
}

// The owners that may be waiting for this object.
void push_owners(const Snapshot& snapshot, const Value& object, std::vector<ObjectKey>& keys) {
  for (const Value& reference : metadata(object)["ownerReferences"].items()) {
    if (!reference["blockOwnerDeletion"].as_bool()) continue;
    auto type = type_of_owner(snapshot, reference);
    if (!type) continue;
    std::string ns(type->namespaced() ? namespace_of(object) : std::string_view());
    keys.push_back(ObjectKey{type->id(), ns, std::string(reference["name"].as_string())});
  }
}

void keys_of_any(const Snapshot& snapshot, const Type& type, const Value& old, const Value& now,
                 std::vector<ObjectKey>& keys) {
  if (now.is_null()) {
    push_dependents(snapshot, old, keys);
    push_owners(snapshot, old, keys);
    return;
  }
  const Value& before = metadata(old);
  const Value& after = metadata(now);
  bool changed = old.is_null();
  for (std::string_view field : {"ownerReferences", "finalizers", "deletionTimestamp"})
    changed = changed || before[field] != after[field];
  if (!changed) return;  // nearly all changes: nothing here is about owners
  if (after.has("ownerReferences") || is_deleting(now)) keys.push_back(key_in(type, now));
  if (is_deleting_dependents(now)) push_dependents(snapshot, now, keys);
  if (!old.is_null() && before["ownerReferences"] != after["ownerReferences"]) push_owners(snapshot, old, keys);
}

}  // namespace

Reconciler garbage_collector() {
  return Reconciler{"garbage-collector", Type{}, {{Type{}, keys_of_any}}, reconcile_garbage};
}

}  // namespace orch::plan
