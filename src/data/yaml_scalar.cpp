#include "data/yaml_scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <string>

#include "base/text.h"

namespace orch {

namespace {

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, text) != words.end();
}

bool is_null(std::string_view t) { return is_one_of(t, {"", "~", "null", "Null", "NULL"}); }
bool is_true(std::string_view t) {
  return is_one_of(t, {"y", "Y", "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"});
}
bool is_false(std::string_view t) {
  return is_one_of(t, {"n", "N", "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"});
}

bool has_only(std::string_view text, std::string_view allowed) {
  return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

std::optional<Value> parse_in_base(std::string_view digits, int base, bool negative) {
  uint64_t number = 0;
  auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  if (problem != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (number > static_cast<uint64_t>(INT64_MAX)) {
    double wide = static_cast<double>(number);
    return Value(negative ? -wide : wide);
  }
  auto whole = static_cast<int64_t>(number);
  return Value(negative ? -whole : whole);
}

struct Radix {
  std::string_view prefix;
  int base;
  std::string_view digits;
};
// "0" alone in front is octal in YAML 1.1, and file modes are written so.
constexpr std::array<Radix, 4> kRadixes{{{"0x", 16, "0123456789abcdefABCDEF"},
                                         {"0b", 2, "01"},
                                         {"0o", 8, "01234567"},
                                         {"0", 8, "01234567"}}};

std::optional<Value> resolve_integer(std::string_view text) {
  bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || text[0] == '_') return std::nullopt;
  std::string digits = replace_all(text, "_", "");
  for (const Radix& radix : kRadixes) {
    std::string_view rest = digits;
    if (!rest.starts_with(radix.prefix) || rest.size() == radix.prefix.size()) continue;
    rest.remove_prefix(radix.prefix.size());
    if (has_only(rest, radix.digits)) return parse_in_base(rest, radix.base, negative);
  }
  if (!has_only(digits, "0123456789")) return std::nullopt;
  if (auto number = parse_in_base(digits, 10, negative)) return number;
  double wide = std::strtod(digits.c_str(), nullptr);
  return Value(negative ? -wide : wide);
}

// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
bool looks_like_float(std::string_view text) {
  size_t at = 0;
  auto digits = [&] {
    size_t from = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    return at - from;
  };
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  size_t before = digits();
  size_t after = 0;
  if (at < text.size() && text[at] == '.') {
    ++at;
    after = digits();
  }
  if (before + after == 0) return false;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    if (digits() == 0) return false;
  }
  return at == text.size();
}

// "12:30" is a number to YAML 1.1 readers (base 60).
bool is_base_60(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || text[0] < '0' || text[0] > '9' || text.find(':') == std::string_view::npos) return false;
  return has_only(text, "0123456789_:.");
}

// 2001-01-01 and longer forms are timestamps to YAML readers; they stay strings here.
bool is_timestamp(std::string_view text) {
  auto digit = [&](size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '9'; };
  return digit(0) && digit(1) && digit(2) && digit(3) && text.size() > 7 && text[4] == '-' && digit(5) &&
         has_only(text, "0123456789-:.TtZz +");
}

}  // namespace

Value resolve_yaml_scalar(std::string_view text) {
  if (is_null(text)) return {};
  if (is_true(text)) return true;
  if (is_false(text)) return false;
  char first = text[0];
  bool numeric = (first >= '0' && first <= '9') || first == '-' || first == '+' || first == '.';
  if (!numeric) return text;
  if (auto number = resolve_integer(text)) return *number;
  if (looks_like_float(text)) return std::strtod(std::string(text).c_str(), nullptr);
  return text;
}

bool yaml_needs_quotes(std::string_view text) {
  if (!resolve_yaml_scalar(text).is_string()) return true;
  if (is_base_60(text) || is_timestamp(text)) return true;
  std::string lower = to_lower(text);
  return is_one_of(lower, {".inf", "+.inf", "-.inf", ".nan"});
}

}  // namespace orch
