#include "schema/select.h"

#include <algorithm>

#include "base/text.h"
#include "data/json.h"
#include "data/selector.h"
#include "schema/engine.h"

namespace orch::schema {

FieldMatcher::Path FieldMatcher::path_of(const Kind& kind, std::string_view dotted) {
  Path path;
  const Type* type = kind.type;
  const Field* field = nullptr;
  for (std::string_view name : split(dotted, '.')) {
    path.names.emplace_back(name);
    field = type ? type->find(name) : nullptr;
    type = field ? field->type.object : nullptr;
  }
  if (field && field->type.scalar == Scalar::boolean) path.when_absent = "false";
  if (field && (field->type.scalar == Scalar::int32 || field->type.scalar == Scalar::int64)) {
    path.when_absent = "0";
  }
  return path;
}

Result<FieldMatcher> FieldMatcher::parse(const Kind& kind, std::string_view selector) {
  TRY(FieldSelector parsed, FieldSelector::parse(selector));
  FieldMatcher matcher;
  for (const FieldSelector::Requirement& wanted : parsed.requirements()) {
    Requirement requirement{.paths = {}, .equals = wanted.equals, .value = wanted.value};
    auto selectable = std::ranges::find(kind.selectable, wanted.field, &Selectable::name);
    if (selectable != kind.selectable.end()) {
      for (const std::string& path : selectable->paths) requirement.paths.push_back(path_of(kind, path));
    } else if (wanted.field == "metadata.name" || wanted.field == "metadata.namespace") {
      requirement.paths.push_back(path_of(kind, wanted.field));
    } else {
      return Error::make(Code::bad_request, "field label not supported: " + wanted.field);
    }
    matcher.requirements_.push_back(std::move(requirement));
  }
  return matcher;
}

std::string FieldMatcher::text_at(const Value& object, const Path& path) {
  const Value* value = &object;
  for (const std::string& name : path.names) value = &(*value)[name];
  if (value->is_null()) return path.when_absent;
  return value->is_string() ? std::string(value->as_string()) : format_json(*value);
}

bool FieldMatcher::matches(const Value& object) const {
  return std::ranges::all_of(requirements_, [&](const Requirement& requirement) {
    std::string text;
    for (const Path& path : requirement.paths) {
      text = text_at(object, path);
      if (!text.empty()) break;
    }
    return (text == requirement.value) == requirement.equals;
  });
}

Result<bool> matches_fields(const Kind& kind, const Value& object, std::string_view selector) {
  TRY(FieldMatcher matcher, FieldMatcher::parse(kind, selector));
  return matcher.matches(object);
}

}  // namespace orch::schema
