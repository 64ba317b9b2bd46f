#pragma once
// Which objects a list or watch asks for: label and field selectors, parsed once.

#include <string_view>

#include "data/selector.h"
#include "schema/graph.h"
#include "schema/select.h"

namespace orch::api {

class Selection {
 public:
  // Errors: Code::bad_request in apimachinery's words.
  static Result<Selection> parse(const schema::Kind& kind, std::string_view labels, std::string_view fields);
  bool matches(const Value& object) const;
  bool matches_all() const { return labels_.empty() && fields_.empty(); }

 private:
  Selection(LabelSelector labels, schema::FieldMatcher fields)
      : labels_(std::move(labels)), fields_(std::move(fields)) {}
  LabelSelector labels_;
  schema::FieldMatcher fields_;
};

}  // namespace orch::api
