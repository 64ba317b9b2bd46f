#pragma once
// FakeCluster: objects in memory with as much of the API's behaviour as controllers see: resource
// versions and conflicts, generations, status apart from spec, finalizers, graceful deletion of
// pods. Records every write, and fails those that a test wants to fail. Header only: for the tests
// of rooms above plan/core.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "data/patch.h"
#include "plan/core/memory_snapshot.h"
#include "plan/core/object.h"

namespace orch::test {

enum class Change : uint8_t { added, modified, deleted };

class FakeCluster {
 public:
  FakeCluster() {
    for (const plan::Type& type :
         {plan::types::pods, plan::types::nodes, plan::types::namespaces, plan::types::services,
          plan::types::endpoints, plan::types::config_maps, plan::types::service_accounts,
          plan::types::replica_sets, plan::types::deployments, plan::types::leases, plan::types::endpoint_slices})
      objects_.add_type({type});
    objects_.add_type({plan::types::events, /*watched=*/false});
  }

  // --- the test's hands
  Instant now{1'767'225'600'000'000'000};
  const plan::Snapshot& snapshot() const { return objects_; }
  // Returns the error a write shall end with, if any. Sees the reference and the verb.
  std::function<std::optional<Error>(std::string_view verb, const plan::Ref& ref)> fault;
  // Told of every change, in order.
  std::function<void(const plan::Type& type, Change change, const Value& object)> on_change;
  bool graceful_pods = false;  // deleted pods with a node stay until finish_deletion()
  size_t writes = 0;
  int64_t revision() const { return revision_; }

  Value get(const plan::Type& type, std::string_view ns, std::string_view name) const {
    return objects_.get(type, ns, name);
  }
  std::vector<Value> list(const plan::Type& type, std::string_view ns = {}) const { return objects_.list(type, ns); }
  // Adds an object as the API would; aborts the test's assumption by returning null if it cannot.
  Value add(const plan::Type& type, Value object) {
    if (!object.has("apiVersion")) object = object.with("apiVersion", type.api_version()).with("kind", type.kind);
    plan::Ref ref = plan::ref_of(type, object);
    auto result = create(ref, object);
    return result.ok() ? result.value() : Value();
  }
  // Changes an object whatever its version says.
  template <class F>
  Value change(const plan::Type& type, const Value& object, F edit) {
    Value current = get(type, plan::namespace_of(object), plan::name_of(object));
    return store(type, edit(current), current);
  }
  // As kubectl delete does.
  void request_deletion(const plan::Type& type, const Value& object, std::string_view propagation = {}) {
    Removal removal;
    removal.propagation = propagation;
    (void)remove(plan::ref_of(type, object), removal).ok();
  }
  void finish_deletion(const plan::Type& type, const Value& object) {
    erase(type, get(type, plan::namespace_of(object), plan::name_of(object)));
  }
  // A kubelet in a hurry: assigned or not, every active pod runs and is ready since `now`.
  size_t make_pods_ready(size_t most = SIZE_MAX) {
    size_t count = 0;
    for (const Value& pod : list(plan::types::pods)) {
      if (count == most) break;
      if (plan::is_deleting(pod) || pod["status"]["phase"].as_string() != "Pending") continue;
      change(plan::types::pods, pod, [this](const Value& p) { return with_ready(p, "True"); });
      ++count;
    }
    return count;
  }
  Value with_ready(const Value& pod, std::string_view ready) const {
    Value condition =
        Value::object({{"type", "Ready"}, {"status", ready}, {"lastTransitionTime", format_time(now)}});
    Value named = pod["spec"].has("nodeName") ? pod : pod.with_path({"spec", "nodeName"}, Value("node-1"));
    return named.with("status", Value::object({{"phase", "Running"}, {"conditions", Value::list({condition})}}));
  }

  // --- the API
  Result<Value> create(const plan::Ref& ref, Value object) {
    if (auto error = injected("create", ref)) return std::move(*error);
    if (ref.subresource == "binding") return bind(ref, object);
    const plan::Type type = type_of(ref);
    Value meta = plan::metadata(object);
    std::string name(meta["name"].as_string());
    if (name.empty()) name = std::string(meta["generateName"].as_string()) + random_.suffix(5);
    if (!objects_.get(type, ref.ns, name).is_null())
      return Error::make(Code::already_exists, type.id() + " \"" + name + "\" already exists");
    meta = meta.with("name", name)
               .with("uid", random_.uuid())
               .with("creationTimestamp", format_time(now))
               .with("generation", 1);
    object = object.with("metadata", meta);
    if (type.same(plan::types::pods)) object = object.with_path({"status", "phase"}, Value("Pending"));
    return store(type, object, Value());
  }

  // POST pods/<name>/binding.
  Result<Value> bind(const plan::Ref& ref, const Value& binding) {
    Value pod = objects_.get(plan::types::pods, ref.ns, ref.name);
    if (pod.is_null()) return not_found(plan::types::pods, ref.name);
    if (!pod["spec"]["nodeName"].as_string().empty()) return conflict(plan::types::pods, ref.name);
    store(plan::types::pods, pod.with_path({"spec", "nodeName"}, binding["target"]["name"]), pod);
    return Value::object({{"kind", "Status"}, {"status", "Success"}});
  }

  Result<Value> update(const plan::Ref& ref, const Value& object) {
    if (auto error = injected("update", ref)) return std::move(*error);
    const plan::Type type = type_of(ref);
    Value current = objects_.get(type, ref.ns, ref.name);
    if (current.is_null()) return not_found(type, ref.name);
    std::string_view version = plan::resource_version_of(object);
    if (!version.empty() && version != plan::resource_version_of(current)) return conflict(type, ref.name);
    if (ref.subresource == "status") {  // annotations may be written with it
      Value next = current.with("status", object["status"]);
      const Value& annotations = object["metadata"]["annotations"];
      if (!annotations.is_null()) next = next.with_path({"metadata", "annotations"}, annotations);
      return store(type, next, current);
    }
    Value next = object.with("status", current["status"]);
    if (current["status"].is_null()) next = next.without("status");
    if (ref.subresource == "finalize") next = current.with("spec", object["spec"]);
    int64_t generation = plan::generation_of(current) + (next["spec"] == current["spec"] ? 0 : 1);
    next = next.with_path({"metadata", "generation"}, Value(generation));
    next = next.with_path({"metadata", "resourceVersion"}, Value(plan::resource_version_of(current)));
    if (next == current) return current;
    if (plan::is_deleting(current) && !held(type, next)) return erase(type, next);
    return store(type, next, current);
  }

  Result<Value> merge_patch(const plan::Ref& ref, const Value& patch) {
    if (auto error = injected("patch", ref)) return std::move(*error);
    Value current = objects_.get(type_of(ref), ref.ns, ref.name);
    if (current.is_null()) return not_found(type_of(ref), ref.name);
    auto saved = std::exchange(fault, nullptr);
    auto result = update(ref, apply_merge_patch(current, patch));
    fault = std::move(saved);
    --writes;
    return result;
  }

  struct Removal {
    std::string uid, resource_version, propagation;
    std::optional<int64_t> grace_seconds;
  };
  Result<Value> remove(const plan::Ref& ref, const Removal& removal) {
    if (auto error = injected("remove", ref)) return std::move(*error);
    return remove_now(type_of(ref), ref, removal);
  }
  Result<Value> remove_collection(const plan::Ref& ref) {
    if (auto error = injected("remove-all", ref)) return std::move(*error);
    const plan::Type type = type_of(ref);
    for (const Value& object : objects_.list(type, ref.ns)) {
      auto removed = remove_now(type, plan::ref_of(type, object), {});
      if (!removed.ok()) return std::move(removed).error();
    }
    return Value::object({{"kind", "Status"}, {"status", "Success"}});
  }

  plan::Type type_of(const plan::Ref& ref) const {
    for (const auto& known : objects_.known_types())
      if (known.type.resource == ref.resource && known.type.group == ref.group) return known.type;
    return {};
  }

 private:
  static Error not_found(const plan::Type& type, std::string_view name) {
    return Error::make(Code::not_found, type.id() + " \"" + std::string(name) + "\" not found");
  }
  static Error conflict(const plan::Type& type, std::string_view name) {
    return Error::make(Code::conflict, "Operation cannot be fulfilled on " + type.id() + " \"" + std::string(name) +
                                           "\": the object has been modified; please apply your changes to the "
                                           "latest version and try again");
  }
  std::optional<Error> injected(std::string_view verb, const plan::Ref& ref) {
    ++writes;
    return fault ? fault(verb, ref) : std::nullopt;
  }
  static bool held(const plan::Type& type, const Value& object) {
    if (!plan::metadata(object)["finalizers"].empty()) return true;
    if (type.same(plan::types::namespaces)) return !object["spec"]["finalizers"].empty();
    return type.same(plan::types::pods) && plan::metadata(object)["deletionGracePeriodSeconds"].as_int() > 0;
  }
  void tell(const plan::Type& type, Change change, const Value& object) {
    if (on_change) on_change(type, change, object);
  }
  Value store(const plan::Type& type, Value object, const Value& old) {
    object = object.with_path({"metadata", "resourceVersion"}, Value(std::to_string(++revision_)));
    objects_.table(type.id())->put(object, Mono{now.ns});
    tell(type, old.is_null() ? Change::added : Change::modified, object);
    return object;
  }
  Value erase(const plan::Type& type, const Value& object) {
    objects_.table(type.id())->erase(plan::namespace_of(object), plan::name_of(object));
    tell(type, Change::deleted, object.with_path({"metadata", "resourceVersion"}, Value(std::to_string(++revision_))));
    return Value::object({{"kind", "Status"}, {"status", "Success"}});
  }
  Result<Value> remove_now(const plan::Type& type, const plan::Ref& ref, const Removal& removal) {
    Value current = objects_.get(type, ref.ns, ref.name);
    if (current.is_null()) return not_found(type, ref.name);
    if (!removal.uid.empty() && removal.uid != plan::uid_of(current)) return conflict(type, ref.name);
    if (!removal.resource_version.empty() && removal.resource_version != plan::resource_version_of(current))
      return conflict(type, ref.name);
    Value next = current;
    std::string_view added = removal.propagation == "Foreground" ? "foregroundDeletion"
                             : removal.propagation == "Orphan"   ? "orphan"
                                                                 : "";
    if (!added.empty() && !plan::has_finalizer(next, added))
      next = next.with_path({"metadata", "finalizers"}, plan::metadata(next)["finalizers"].appended(Value(added)));
    const bool assigned = !next["spec"]["nodeName"].as_string().empty();
    int64_t grace = 0;
    if (type.same(plan::types::pods) && graceful_pods && assigned) grace = removal.grace_seconds.value_or(30);
    next = next.with_path({"metadata", "deletionGracePeriodSeconds"}, Value(grace));
    if (!plan::is_deleting(next)) next = next.with_path({"metadata", "deletionTimestamp"}, Value(format_time(now)));
    if (!held(type, next)) return erase(type, next);
    return next == current ? current : store(type, next, current);
  }

  plan::MemorySnapshot objects_;
  SeededRandom random_{7};
  int64_t revision_ = 100;
};

}  // namespace orch::test
