#pragma once
// Label and field selectors.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/value.h"

namespace orch {

class LabelSelector {
 public:
  enum class Op : uint8_t { in, not_in, exists, does_not_exist, equals, not_equals, gt, lt };
  struct Requirement {
    std::string key;
    Op op;
    std::vector<std::string> values;  // sorted
    bool operator==(const Requirement&) const = default;
  };

  static LabelSelector everything() { return LabelSelector(); }
  static LabelSelector nothing();
  // Query text: "a=b,c!=d,e in (f,g),!h,i". Errors: Code::bad_request with apimachinery's words.
  static Result<LabelSelector> parse(std::string_view text);
  // A metav1.LabelSelector object {matchLabels, matchExpressions}. null selects nothing, {} all.
  static Result<LabelSelector> from_object(const Value& selector);
  // A plain map of labels (Service.spec.selector, nodeSelector): all must be equal.
  static LabelSelector from_map(const Value& labels);

  bool matches(const Value& labels) const;  // labels: object of strings, or null
  bool empty() const { return !nothing_ && requirements_.empty(); }
  bool selects_nothing() const { return nothing_; }
  const std::vector<Requirement>& requirements() const { return requirements_; }
  std::string format() const;  // canonical query text
  void add(Requirement requirement) { requirements_.push_back(std::move(requirement)); }

 private:
  std::vector<Requirement> requirements_;
  bool nothing_ = false;
};

// "metadata.name=a,spec.nodeName!=b" with backslash escapes.
class FieldSelector {
 public:
  struct Requirement {
    std::string field;
    bool equals;  // else: differs
    std::string value;
  };
  static Result<FieldSelector> parse(std::string_view text);
  bool empty() const { return requirements_.empty(); }
  const std::vector<Requirement>& requirements() const { return requirements_; }
  bool matches(const Value& object) const;  // fields as dotted paths; absent reads as ""
  // The value a field must have, where the selector says so.
  std::optional<std::string> exact(std::string_view field) const;

 private:
  std::vector<Requirement> requirements_;
};

}  // namespace orch
