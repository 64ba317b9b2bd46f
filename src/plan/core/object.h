#pragma once
// What every decision asks of an object: its metadata, owners, finalizers. Views and references
// borrow from the object; functions that change return a new Value.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "data/value.h"
#include "plan/core/type.h"

namespace orch::plan {

inline const Value& metadata(const Value& object) { return object["metadata"]; }
inline std::string_view name_of(const Value& object) { return metadata(object)["name"].as_string(); }
inline std::string_view namespace_of(const Value& object) { return metadata(object)["namespace"].as_string(); }
inline std::string_view uid_of(const Value& object) { return metadata(object)["uid"].as_string(); }
inline std::string_view resource_version_of(const Value& object) {
  return metadata(object)["resourceVersion"].as_string();
}
inline int64_t generation_of(const Value& object) { return metadata(object)["generation"].as_int(); }
inline const Value& labels_of(const Value& object) { return metadata(object)["labels"]; }
inline const Value& annotations_of(const Value& object) { return metadata(object)["annotations"]; }
inline std::string_view annotation_of(const Value& object, std::string_view key) {
  return annotations_of(object)[key].as_string();
}
inline bool is_deleting(const Value& object) { return metadata(object)["deletionTimestamp"].is_string(); }

// A time field; nullopt where absent or not a time.
std::optional<Instant> time_of(const Value& value);
inline std::optional<Instant> created_at(const Value& object) {
  return time_of(metadata(object)["creationTimestamp"]);
}
// Sorting by age: older first, then by name. An absent time is the oldest.
bool is_older(const Value& a, const Value& b);

Value with_annotation(const Value& object, std::string_view key, std::string_view text);

// The owner reference with controller: true; null without one.
const Value& controller_of(const Value& object);
bool is_controlled_by(const Value& object, std::string_view uid);
// Of an owner that manages its dependents: controller and blockOwnerDeletion are true.
Value controller_reference(const Type& type, const Value& owner);
Value with_owner(const Value& object, const Value& reference);
Value without_owner(const Value& object, std::string_view uid);

bool has_finalizer(const Value& object, std::string_view finalizer);
Value without_finalizer(const Value& object, std::string_view finalizer);

}  // namespace orch::plan
