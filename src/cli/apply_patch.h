#pragma once
// The pure half of client-side apply: the annotation that remembers what was applied, and the patch from
// there. The same as kubectl's, so that both can be used on one object in turn.

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "data/value.h"
#include "schema/graph.h"

namespace orch::cli {

constexpr std::string_view kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";

// The configuration as the annotation holds it: JSON as Go writes it, and a line break.
std::string format_configuration(const Value& object);
// The object with that annotation.
Value with_configuration(const Value& object);
// What was applied last; nothing where the annotation is missing.
Result<std::optional<Value>> last_configuration(const Value& live);

struct ApplyPatch {
  Value patch;
  std::string_view media_type;
  bool empty() const { return patch.empty(); }
};
// From the live object to the manifest: strategic where `type` is known, else a JSON merge patch.
Result<ApplyPatch> make_apply_patch(const schema::Type* type, const Value& manifest, const Value& live);

// JSON merge patches: set what differs between current and modified, delete what original had and
// modified has not.
Value make_three_way_json_merge(const Value& original, const Value& modified, const Value& current);

}  // namespace orch::cli
