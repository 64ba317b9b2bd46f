#include "api/selection.h"

#include <algorithm>

#include "api/status.h"
#include "base/text.h"

namespace orch::api {

namespace {

std::string_view at_path(const Value& object, std::string_view path) {
  const Value* current = &object;
  for (std::string_view step : split(path, '.')) current = &(*current)[step];
  if (current->is_bool()) return current->as_bool() ? "true" : "false";
  return current->as_string();
}

// The field's text; Kubernetes' field selectors compare text.
std::string field_text(const schema::Kind& kind, const Value& object, std::string_view name) {
  auto known = std::ranges::find(kind.selectable, name, &schema::Selectable::name);
  if (known == kind.selectable.end()) return std::string(at_path(object, name));
  for (const std::string& path : known->paths) {
    if (std::string_view text = at_path(object, path); !text.empty()) return std::string(text);
  }
  return {};
}

}  // namespace

Result<Selection> Selection::parse(const schema::Kind& kind, std::string_view labels, std::string_view fields) {
  Selection selection;
  selection.kind_ = &kind;
  TRY(selection.labels_, LabelSelector::parse(labels));
  TRY(selection.fields_, FieldSelector::parse(fields));
  for (const FieldSelector::Requirement& requirement : selection.fields_.requirements()) {
    bool everywhere = requirement.field == "metadata.name" ||
                      (kind.namespaced && requirement.field == "metadata.namespace");
    if (everywhere || std::ranges::count(kind.selectable, requirement.field, &schema::Selectable::name)) continue;
    return bad_request("field label not supported: " + requirement.field);
  }
  return selection;
}

bool Selection::matches(const Value& object) const {
  if (!labels_.empty() && !labels_.matches(object["metadata"]["labels"])) return false;
  return std::ranges::all_of(fields_.requirements(), [&](const FieldSelector::Requirement& requirement) {
    return (field_text(*kind_, object, requirement.field) == requirement.value) == requirement.equals;
  });
}

}  // namespace orch::api
