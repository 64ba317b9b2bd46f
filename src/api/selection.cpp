#include "api/selection.h"

namespace orch::api {

Result<Selection> Selection::parse(const schema::Kind& kind, std::string_view labels, std::string_view fields) {
  TRY(LabelSelector by_label, LabelSelector::parse(labels));
  TRY(schema::FieldMatcher by_field, schema::FieldMatcher::parse(kind, fields));
  return Selection(std::move(by_label), std::move(by_field));
}

bool Selection::matches(const Value& object) const {
  if (!labels_.empty() && !labels_.matches(object["metadata"]["labels"])) return false;
  return fields_.matches(object);
}

}  // namespace orch::api
