#include "cli/apply_patch.h"

#include "base/text.h"
#include "data/json.h"
#include "data/patch.h"
#include "schema/make_strategic_merge.h"

namespace orch::cli {

namespace {

// Go's encoding/json writes these as \u escapes in strings; outside of strings they do not occur.
std::string escape_as_go(std::string text) {
  text = replace_all(text, "&", "\\u0026");
  text = replace_all(text, "<", "\\u003c");
  text = replace_all(text, ">", "\\u003e");
  text = replace_all(text, "\xE2\x80\xA8", "\\u2028");
  return replace_all(text, "\xE2\x80\xA9", "\\u2029");
}

// The patch without its nulls, or with nothing but them.
enum class Keep : uint8_t { nulls, others };
Value filter_nulls(const Value& patch, Keep keep) {
  ObjectBuilder kept;
  for (const Member& member : patch.members()) {
    if (member.value.is_object()) {
      Value inner = filter_nulls(member.value, keep);
      if (!inner.empty() || (keep == Keep::others && member.value.empty())) {
        kept.set(member.name(), std::move(inner));
      }
    } else if (member.value.is_null() == (keep == Keep::nulls)) {
      kept.set(member.name(), member.value);
    }
  }
  return std::move(kept).build();
}

// One merge patch over another, nulls kept.
Value join_patches(const Value& first, const Value& second) {
  if (!first.is_object() || !second.is_object()) return second;
  ObjectBuilder joined(first);
  for (const Member& member : second.members()) {
    const Value* before = first.find(member.name());
    joined.set(member.name(), before ? join_patches(*before, member.value) : member.value);
  }
  return std::move(joined).build();
}

}  // namespace

std::string format_configuration(const Value& object) {
  Value annotations = object["metadata"]["annotations"];
  if (!annotations.is_object()) annotations = Value::empty_object();
  Value plain = object.with_path({"metadata", "annotations"}, annotations.without(kLastApplied));
  return escape_as_go(format_json(plain)) + "\n";
}

Value with_configuration(const Value& object) {
  return object.with_path({"metadata", "annotations", kLastApplied}, Value(format_configuration(object)));
}

Result<std::optional<Value>> last_configuration(const Value& live) {
  const Value* text = live["metadata"]["annotations"].find(kLastApplied);
  if (!text) return std::optional<Value>();
  auto parsed = parse_json(text->as_string());
  if (!parsed.ok()) {
    return Error::make(Code::parse, "the annotation " + std::string(kLastApplied) +
                                        " of the object is no JSON: " + parsed.error().message());
  }
  return std::optional<Value>(std::move(parsed).value());
}

Value make_three_way_json_merge(const Value& original, const Value& modified, const Value& current) {
  Value changes = filter_nulls(make_merge_patch(current, modified), Keep::others);
  Value deletions = filter_nulls(make_merge_patch(original, modified), Keep::nulls);
  return join_patches(deletions, changes);
}

Result<ApplyPatch> make_apply_patch(const schema::Type* type, const Value& manifest, const Value& live) {
  TRY(auto last, last_configuration(live));
  const Value original = last.value_or(Value::empty_object());
  const Value modified = with_configuration(manifest);
  if (!type) {
    return ApplyPatch{make_three_way_json_merge(original, modified, live), "application/merge-patch+json"};
  }
  TRY(Value patch, schema::make_three_way_merge(*type, original, modified, live));
  return ApplyPatch{std::move(patch), "application/strategic-merge-patch+json"};
}

}  // namespace orch::cli
