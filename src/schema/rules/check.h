#pragma once
// Small ways to look at Values in validation rules.

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "base/text.h"
#include "schema/causes.h"
#include "schema/formats.h"
#include "schema/shape.h"

namespace orch::schema::rules {

inline std::string_view text(const Value& value) { return value.as_string(); }
inline bool is_set(const Value& value) { return !value.is_null(); }
inline bool is_true(const Value& value) { return value.as_bool(); }

template <class Range>
bool one_of(std::string_view word, const Range& words) {
  return std::ranges::find(words, word) != std::ranges::end(words);
}
inline bool one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, word) != words.end();
}

// act(item, path of the item) for each item of object[name].
template <class F>
void each(const Value& object, std::string_view name, const FieldPath& path, F&& act) {
  FieldPath list = path.child(name);
  size_t i = 0;
  for (const Value& item : object[name].items()) {
    FieldPath at = list.index(i++);
    act(item, at);
  }
}

inline void subdomain(const Value& value, const FieldPath& path, Causes& causes) {
  add_problems(dns_subdomain_problems(text(value)), path, value, causes);
}
inline void qualified_name(const Value& value, const FieldPath& path, Causes& causes) {
  add_problems(qualified_name_problems(text(value)), path, value, causes);
}
inline void dns_label(const Value& value, const FieldPath& path, Causes& causes) {
  add_problems(dns_label_problems(text(value)), path, value, causes);
}
inline void immutable(const Value& before, const Value& after, const FieldPath& path, Causes& causes) {
  if (before != after) causes.invalid(path, after, "field is immutable");
}
// "is over 100%": what of a percentage may not be.
inline bool over_hundred_percent(const Value& value) {
  if (!value.is_string() || !text(value).ends_with('%')) return false;
  auto number = parse_int(text(value).substr(0, text(value).size() - 1));
  return number && *number > 100;
}
inline bool zero_or_zero_percent(const Value& value) {
  return (value.is_int() && value.as_int() == 0) || text(value) == "0%";
}

}  // namespace orch::schema::rules
