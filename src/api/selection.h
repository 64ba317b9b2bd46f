#pragma once
// Which objects a list or watch asks for: label and field selectors, parsed once.

#include <string>
#include <string_view>

#include "data/selector.h"
#include "schema/engine.h"
#include "schema/graph.h"

namespace orch::api {

class Selection {
 public:
  // Errors: Code::bad_request in apimachinery's words.
  static Result<Selection> parse(const schema::Kind& kind, std::string_view labels, std::string_view fields);
  bool matches(const Value& object) const;
  bool matches_all() const { return labels_.empty() && fields_.empty(); }

 private:
  const schema::Kind* kind_ = nullptr;
  LabelSelector labels_;
  FieldSelector fields_;
};

}  // namespace orch::api
