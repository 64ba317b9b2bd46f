#include "data/yaml_scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>

#include "base/text.h"
#include "base/utf8.h"

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

// Digits of a base as strconv.ParseInt takes them: "0x1F", "0b1", "0o17", and "017", which is octal
// in YAML 1.1: file modes are written so. Beyond int64 a double; beyond uint64 nothing.
std::optional<Value> resolve_integer(std::string_view digits) {
  bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  if (digits.empty()) return std::nullopt;
  int base = 10;
  if (digits[0] == '0' && digits.size() > 1) {
    char letter = digits.size() > 2 ? digits[1] : '\0';
    base = letter == 'x' || letter == 'X' ? 16 : letter == 'b' || letter == 'B' ? 2 : 8;
    digits.remove_prefix(base != 8 || letter == 'o' || letter == 'O' ? 2 : 1);
  }
  uint64_t number = 0;
  auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  if (problem != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  constexpr uint64_t kLeast = uint64_t{1} << 63;  // the magnitude of the smallest int64
  if (negative && number <= kLeast) return Value(static_cast<int64_t>(0 - number));
  if (negative) return std::nullopt;
  return number < kLeast ? Value(number) : Value(static_cast<double>(number));
}

// ".inf" and the like; no JSON can hold them.
std::optional<Value> resolve_special_float(std::string_view text) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (is_one_of(text, {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"})) return kInfinity;
  if (is_one_of(text, {"-.inf", "-.Inf", "-.INF"})) return -kInfinity;
  if (is_one_of(text, {".nan", ".NaN", ".NAN"})) return std::numeric_limits<double>::quiet_NaN();
  return std::nullopt;
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

// What is too large for a double stays text.
std::optional<Value> resolve_float(std::string_view text) {
  if (!looks_like_float(text)) return std::nullopt;
  double number = std::strtod(std::string(text).c_str(), nullptr);
  if (std::isinf(number)) return std::nullopt;
  return number;
}

// A cursor over a text; each step says whether what it looks for stood there.
struct Scan {
  std::string_view rest;

  bool literal(char c) {
    if (!rest.starts_with(c)) return false;
    rest.remove_prefix(1);
    return true;
  }
  bool one_of(std::string_view characters) {
    if (rest.empty() || characters.find(rest[0]) == std::string_view::npos) return false;
    rest.remove_prefix(1);
    return true;
  }
  size_t run(std::string_view characters) {
    size_t end = std::min(rest.find_first_not_of(characters), rest.size());
    rest.remove_prefix(end);
    return end;
  }
  // One to `most` digits with a value up to `highest`.
  bool number(size_t most, int highest, int& value) {
    value = 0;
    size_t count = 0;
    while (count < most && !rest.empty() && rest[0] >= '0' && rest[0] <= '9') {
      value = value * 10 + (rest[0] - '0');
      rest.remove_prefix(1);
      ++count;
    }
    return count > 0 && value <= highest;
  }
};

constexpr std::string_view kDigits = "0123456789";

// "12:30" is a number to YAML 1.1 readers (base 60): [-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?
bool is_base_60(std::string_view text) {
  Scan scan{text};
  scan.one_of("+-");
  if (!scan.one_of(kDigits)) return false;
  scan.run("0123456789_");
  size_t groups = 0;
  for (int value = 0; scan.literal(':'); ++groups) {
    if (!scan.number(2, 59, value)) return false;
  }
  if (scan.literal('.')) scan.run("0123456789_");
  return groups > 0 && scan.rest.empty();
}

// 2001-01-01 and the longer forms that go-yaml knows. They stay strings, but it quotes them.
bool is_timestamp(std::string_view text) {
  Scan scan{text};
  if (text.size() < 6 || text[4] != '-' || !has_only(text.substr(0, 4), kDigits)) return false;
  scan.rest.remove_prefix(5);
  int year = std::atoi(std::string(text.substr(0, 4)).c_str());
  int month = 0, day = 0, unused = 0;
  if (!scan.number(2, 12, month) || !scan.literal('-') || !scan.number(2, 31, day)) return false;
  if (!std::chrono::year_month_day(std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                   std::chrono::day(static_cast<unsigned>(day)))
           .ok()) {
    return false;
  }
  if (scan.rest.empty()) return true;
  bool zoned = scan.one_of("Tt");
  if (!zoned && !scan.literal(' ')) return false;
  if (!scan.number(2, 23, unused) || !scan.literal(':') || !scan.number(2, 59, unused) ||
      !scan.literal(':') || !scan.number(2, 59, unused)) {
    return false;
  }
  if (scan.rest.size() > 1 && (scan.rest[0] == '.' || scan.rest[0] == ',')) {
    scan.rest.remove_prefix(1);
    if (scan.run(kDigits) == 0) return false;
  }
  if (!zoned) return scan.rest.empty();
  if (scan.rest == "Z") return true;
  return scan.rest.size() == 6 && scan.one_of("+-") && scan.number(2, 24, unused) &&
         scan.literal(':') && scan.rest.size() == 2 && scan.number(2, 60, unused) && scan.rest.empty();
}

// Code points that go-yaml's order of keys takes for letters: nearly Unicode's.
bool is_letter(char32_t c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  if (c < 0xC0) return c == 0xAA || c == 0xB5 || c == 0xBA;
  if (c == 0xD7 || c == 0xF7) return false;
  struct Range {
    char32_t first, last;
  };
  static constexpr std::array<Range, 10> kNot{{{0x300, 0x36F},
                                             {0x2000, 0x2BFF},
                                             {0x3000, 0x3004},
                                             {0x3007, 0x3030},
                                             {0xD800, 0xF8FF},
                                             {0xFE00, 0xFE6F},
                                             {0xFEFF, 0xFEFF},
                                             {0xFF00, 0xFF20},
                                             {0xFFE0, 0xFFFF},
                                             {0x1F000, 0x1FAFF}}};
  return c < 0x323B0 && std::ranges::none_of(kNot, [&](const Range& r) { return c >= r.first && c <= r.last; });
}

bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }

std::u32string code_points(std::string_view text) {
  std::u32string points;
  while (!text.empty()) {
    Utf8 point = decode_utf8(text);
    points += point.code_point;
    text.remove_prefix(point.size);
  }
  return points;
}

// The number whose digits begin at `at`, after `leading`; `at` moves behind them.
int64_t number_at(const std::u32string& text, size_t& at, uint64_t leading) {
  uint64_t number = leading;  // may wrap around; so it does in go-yaml
  for (; at < text.size() && is_digit(text[at]); ++at) number = number * 10 + (text[at] - '0');
  return static_cast<int64_t>(number);
}

}  // namespace

Value resolve_yaml_scalar(std::string_view text) {
  if (is_null(text)) return {};
  if (is_true(text)) return true;
  if (is_false(text)) return false;
  if (auto special = resolve_special_float(text)) return *special;
  char first = text[0];
  if (first == '.') return resolve_float(text).value_or(text);
  if (first != '-' && first != '+' && (first < '0' || first > '9')) return text;
  std::string plain = replace_all(text, "_", "");
  if (auto number = resolve_integer(plain)) return *number;
  return resolve_float(plain).value_or(text);
}

bool yaml_needs_quotes(std::string_view text) {
  return !resolve_yaml_scalar(text).is_string() || is_base_60(text) || is_timestamp(text);
}

bool yaml_key_less(std::string_view a, std::string_view b) {
  std::u32string x = code_points(a), y = code_points(b);
  for (size_t i = 0; i < x.size() && i < y.size(); ++i) {
    if (x[i] == y[i]) continue;
    bool x_letter = is_letter(x[i]), y_letter = is_letter(y[i]);
    if (x_letter && y_letter) return x[i] < y[i];
    if (x_letter || y_letter) return y_letter;
    // Numbers compare by value. A zero that comes after other digits is one of theirs.
    uint64_t leading = 0;
    if (x[i] == '0' || y[i] == '0') {
      for (size_t j = i; j-- > 0 && is_digit(x[j]);) {
        if (x[j] != '0') leading = 1;
      }
    }
    size_t x_end = i, y_end = i;
    int64_t x_number = number_at(x, x_end, leading), y_number = number_at(y, y_end, leading);
    if (x_number != y_number) return x_number < y_number;
    if (x_end != y_end) return x_end < y_end;
    return x[i] < y[i];
  }
  return x.size() < y.size();
}

}  // namespace orch
