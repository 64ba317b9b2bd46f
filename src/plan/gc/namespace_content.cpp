#include "plan/gc/namespace_content.h"

#include <map>

#include "base/text.h"
#include "plan/core/object.h"
#include "plan/core/status.h"

namespace orch::plan {

namespace {

constexpr std::string_view finalizer = "kubernetes";

struct Content {
  std::vector<std::string> remaining;          // "pods. has 3 resource instances"
  std::map<std::string, int64_t> finalizers;   // and how many objects have each
  std::vector<Action> removals;
  std::vector<Action> unseen_removals;         // of types that nobody watches: what they hold cannot be counted
  std::vector<Guard> guards;                   // that it is all gone
};

Content look_into(const Snapshot& snapshot, std::string_view ns) {
  Content content;
  for (const auto& known : snapshot.known_types()) {
    if (!known.type.namespaced() || !known.deletable) continue;
    Action removal{.verb = Verb::remove_collection, .ref = ref_to(known.type, ns, "")};
    content.guards.push_back(Guard{Guard::Condition::empty, removal.ref, {}});
    const std::vector<Value> objects = snapshot.list(known.type, ns);
    bool wanted = false;
    for (const Value& object : objects) {
      wanted = wanted || !is_deleting(object);
      for (const Value& name : metadata(object)["finalizers"].items()) ++content.finalizers[std::string(name.as_string())];
    }
    if (wanted) content.removals.push_back(removal);
    if (!known.watched) content.unseen_removals.push_back(removal);
    if (!objects.empty())
      content.remaining.push_back(std::string(known.type.resource) + "." + std::string(known.type.group) + " has " +
                                  std::to_string(objects.size()) + " resource instances");
  }
  return content;
}

// Conditions of a namespace change with their message too.
Value set_namespace_condition(const Value& conditions, const Value& condition) {
  const Value& current = find_condition(conditions, condition["type"].as_string());
  if (current["status"] == condition["status"] && current["reason"] == condition["reason"] &&
      current["message"] == condition["message"])
    return conditions;
  return without_condition(conditions, condition["type"].as_string()).appended(condition);
}

Value conditions_of(const Value& before, const Content& content, Instant now) {
  std::vector<std::string> finalizers;
  for (const auto& [name, count] : content.finalizers)
    finalizers.push_back(name + " in " + std::to_string(count) + " resource instances");
  const bool remain = !content.remaining.empty(), held = !finalizers.empty();
  struct Row {
    std::string_view type, status, reason;
    std::string message;
  };
  const Row rows[] = {
      {"NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered", "All resources successfully discovered"},
      {"NamespaceDeletionGroupVersionParsingFailure", "False", "ParsedGroupVersions",
       "All legacy kube types successfully parsed"},
      {"NamespaceDeletionContentFailure", "False", "ContentDeleted",
       "All content successfully deleted, may be waiting on finalization"},
      {"NamespaceContentRemaining", remain ? "True" : "False", remain ? "SomeResourcesRemain" : "ContentRemoved",
       remain ? "Some resources are remaining: " + join(content.remaining, ", ") : "All content successfully removed"},
      {"NamespaceFinalizersRemaining", held ? "True" : "False", held ? "SomeFinalizersRemain" : "ContentHasNoFinalizers",
       held ? "Some content in the namespace has finalizers remaining: " + join(finalizers, ", ")
            : "All content-preserving finalizers finished"},
  };
  Value conditions = before;
  for (const Row& row : rows)
    conditions = set_namespace_condition(conditions, make_condition(row.type, row.status, row.reason, row.message, now));
  return conditions;
}

Value without_spec_finalizer(const Value& object) {
  std::vector<Value> kept;
  for (const Value& name : object["spec"]["finalizers"].items())
    if (name.as_string() != finalizer) kept.push_back(name);
  return object.with_path({"spec", "finalizers"}, kept.empty() ? std::nullopt : std::optional(Value::list(kept)));
}

bool is_held(const Value& object) {
  for (const Value& name : object["spec"]["finalizers"].items())
    if (name.as_string() == finalizer) return true;
  return false;
}

}  // namespace

Plan reconcile_namespace(const Snapshot& snapshot, const ObjectKey& key, const Context& context) {
  Plan plan;
  const Value object = snapshot.get(types::namespaces, "", key.name);
  if (object.is_null() || !is_deleting(object) || !is_held(object)) return plan;
  Content content = look_into(snapshot, key.name);
  for (Action& removal : content.removals) plan.add(std::move(removal));

  if (!content.remaining.empty()) {
    Value conditions = conditions_of(object["status"]["conditions"], content, context.now);
    Value status = object["status"].with("phase", "Terminating").with("conditions", conditions);
    if (status != object["status"]) plan.add(update_status(types::namespaces, object.with("status", status)));
    return plan;
  }
  for (Action& removal : content.unseen_removals) plan.add(std::move(removal));
  Action finalize = update(types::namespaces, without_spec_finalizer(object));
  finalize.ref.subresource = "finalize";
  finalize.guards = std::move(content.guards);
  plan.add(std::move(finalize));
  plan.add(remove(types::namespaces, object));
  return plan;
}

namespace {

// The end of anything in a namespace that is going.
void keys_of_content(const Snapshot& snapshot, const Type& type, const Value& old, const Value& now,
                     std::vector<ObjectKey>& keys) {
  const Value& object = now.is_null() ? old : now;
  if (type.same(types::namespaces)) {
    if (is_deleting(now)) keys.push_back(key_of(now));
    return;
  }
  if (!type.namespaced()) return;
  if (is_deleting(snapshot.get(types::namespaces, "", namespace_of(object))))
    keys.push_back(ObjectKey{"", "", std::string(namespace_of(object))});
}

}  // namespace

Reconciler namespace_reconciler() {
  return Reconciler{"namespace-controller",
                    types::namespaces,
                    {{Type{}, keys_of_content}},
                    reconcile_namespace};
}

}  // namespace orch::plan
