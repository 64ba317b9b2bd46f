#include "plan/core/object.h"

namespace orch::plan {

std::optional<Instant> time_of(const Value& value) {
  if (!value.is_string()) return std::nullopt;
  auto time = parse_time(value.as_string());
  if (!time.ok()) return std::nullopt;
  return time.value();
}

bool is_older(const Value& a, const Value& b) {
  Instant time_a = created_at(a).value_or(Instant{});
  Instant time_b = created_at(b).value_or(Instant{});
  if (time_a != time_b) return time_a < time_b;
  return name_of(a) < name_of(b);
}

Value with_annotation(const Value& object, std::string_view key, std::string_view text) {
  return object.with_path({"metadata", "annotations", key}, Value(text));
}

const Value& controller_of(const Value& object) {
  for (const Value& reference : metadata(object)["ownerReferences"].items())
    if (reference["controller"].as_bool()) return reference;
  return Value::null();
}

bool is_controlled_by(const Value& object, std::string_view uid) {
  return controller_of(object)["uid"].as_string() == uid;
}

Value controller_reference(const Type& type, const Value& owner) {
  return Value::object({{"apiVersion", type.api_version()},
                        {"kind", type.kind},
                        {"name", name_of(owner)},
                        {"uid", uid_of(owner)},
                        {"controller", true},
                        {"blockOwnerDeletion", true}});
}

Value with_owner(const Value& object, const Value& reference) {
  Value without = without_owner(object, reference["uid"].as_string());
  return object.with_path({"metadata", "ownerReferences"},
                          metadata(without)["ownerReferences"].appended(reference));
}

namespace {

// The list without the items that `drop` names; nullopt (no field) when none is left.
template <class Drop>
std::optional<Value> filtered(const Value& list, Drop drop) {
  std::vector<Value> kept;
  for (const Value& item : list.items())
    if (!drop(item)) kept.push_back(item);
  if (kept.empty()) return std::nullopt;
  return Value::list(std::move(kept));
}

}  // namespace

Value without_owner(const Value& object, std::string_view uid) {
  const Value& owners = metadata(object)["ownerReferences"];
  if (owners.empty()) return object;
  auto is_owner = [uid](const Value& reference) { return reference["uid"].as_string() == uid; };
  return object.with_path({"metadata", "ownerReferences"}, filtered(owners, is_owner));
}

bool has_finalizer(const Value& object, std::string_view finalizer) {
  for (const Value& item : metadata(object)["finalizers"].items())
    if (item.as_string() == finalizer) return true;
  return false;
}

Value without_finalizer(const Value& object, std::string_view finalizer) {
  const Value& finalizers = metadata(object)["finalizers"];
  if (finalizers.empty()) return object;
  auto is_it = [finalizer](const Value& item) { return item.as_string() == finalizer; };
  return object.with_path({"metadata", "finalizers"}, filtered(finalizers, is_it));
}

}  // namespace orch::plan
