#pragma once
// The causes that validation finds, in the words of apimachinery's field errors: clients show and
// match them. Texts are made only here, where there is an error.

#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/error.h"
#include "data/path.h"
#include "data/value.h"

namespace orch::schema {

class Causes {
 public:
  // `Required value[: detail]`
  void required(const FieldPath& path, std::string_view detail = {});
  // `Invalid value: "x": detail`; objects and lists as JSON.
  void invalid(const FieldPath& path, const Value& value, std::string_view detail);
  // `Invalid value: detail`, where there is no value to show.
  void invalid(const FieldPath& path, std::string_view detail);
  // `Invalid value: x: detail`: names of resources are shown without quotes.
  void invalid_name(const FieldPath& path, std::string_view name, std::string_view detail);
  // `Unsupported value: "x": supported values: "A", "B"`
  void not_supported(const FieldPath& path, const Value& value,
                     std::span<const std::string> supported);
  void not_supported(const FieldPath& path, const Value& value,
                     std::initializer_list<std::string_view> supported);
  void duplicate(const FieldPath& path, const Value& value);   // `Duplicate value: "x"`
  void not_found(const FieldPath& path, const Value& value);   // `Not found: "x"`
  void forbidden(const FieldPath& path, std::string_view detail);  // `Forbidden: detail`
  void too_long(const FieldPath& path, int64_t max);  // `Too long: may not be more than 5 bytes`
  // `Too many: 9: must have at most 5 items`
  void too_many(const FieldPath& path, size_t actual, int64_t max);
  void internal(const FieldPath& path, std::string_view detail);

  bool empty() const { return causes_.empty(); }
  size_t size() const { return causes_.size(); }
  std::vector<Cause> take() && { return std::move(causes_); }

 private:
  void add(std::string_view reason, const FieldPath& path, std::string message);
  std::vector<Cause> causes_;
  std::unordered_set<std::string> said_;  // a line and a hook may find the same: it is said once
};

}  // namespace orch::schema
