#pragma once
// Field selectors of a kind, parsed once and asked for many objects.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/value.h"
#include "schema/graph.h"

namespace orch::schema {

class FieldMatcher {
 public:
  // metadata.name and metadata.namespace of every kind, and its `select` lines.
  // Errors: Code::bad_request `field label not supported: spec.x`.
  static Result<FieldMatcher> parse(const Kind& kind, std::string_view selector);
  bool matches(const Value& object) const;
  bool empty() const { return requirements_.empty(); }

 private:
  struct Path {
    std::vector<std::string> names;
    std::string when_absent;  // what Go's zero value reads as: "", "0", "false"
  };
  struct Requirement {
    std::vector<Path> paths;  // the first that is not empty counts
    bool equals;
    std::string value;
  };
  static std::string text_at(const Value& object, const Path& path);
  static Path path_of(const Kind& kind, std::string_view dotted);
  std::vector<Requirement> requirements_;
};

}  // namespace orch::schema
