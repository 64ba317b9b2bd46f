#include "data/quantity.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/text.h"

namespace orch {

namespace {

__extension__ using Int128 = __int128;

constexpr Int128 kNano = 1'000'000'000;
constexpr int64_t kInt64Max = std::numeric_limits<int64_t>::max();
// Binary quantities stop at 2^63-1, as in apimachinery.
constexpr Int128 kBinaryLimit = kInt64Max * kNano;
// Decimal ones have no limit there; here they stop at 1e29, the last power of ten whose nanos fit.
constexpr Int128 kDecimalLimit = [] {
  Int128 limit = kNano;
  for (int i = 0; i < 29; ++i) limit *= 10;
  return limit;
}();

struct Suffix {
  std::string_view text;
  int exponent;  // of ten, or of two
  Quantity::Format format;
};
constexpr auto kDecimal = Quantity::Format::decimal_si;
constexpr auto kBinary = Quantity::Format::binary_si;
constexpr std::array kSuffixes = {
    Suffix{"n", -9, kDecimal},  Suffix{"u", -6, kDecimal},  Suffix{"m", -3, kDecimal},
    Suffix{"", 0, kDecimal},    Suffix{"k", 3, kDecimal},   Suffix{"M", 6, kDecimal},
    Suffix{"G", 9, kDecimal},   Suffix{"T", 12, kDecimal},  Suffix{"P", 15, kDecimal},
    Suffix{"E", 18, kDecimal},  Suffix{"Ki", 10, kBinary},  Suffix{"Mi", 20, kBinary},
    Suffix{"Gi", 30, kBinary},  Suffix{"Ti", 40, kBinary},  Suffix{"Pi", 50, kBinary},
    Suffix{"Ei", 60, kBinary},
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

Error wrong_format() {
  return Error::make(Code::invalid,
                     "quantities must match the regular expression "
                     "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
}

struct Parts {
  bool negative = false;
  std::string_view whole, fraction, suffix;  // digits without sign and leading zeros
  bool has_digits = false;
};

std::string_view take_digits(std::string_view& text) {
  size_t n = 0;
  while (n < text.size() && is_digit(text[n])) ++n;
  std::string_view digits = text.substr(0, n);
  text.remove_prefix(n);
  return digits;
}

Result<Parts> split_parts(std::string_view text) {
  if (text.empty()) return wrong_format();
  Parts parts;
  if (text[0] == '-' || text[0] == '+') {
    parts.negative = text[0] == '-';
    text.remove_prefix(1);
    // A sign alone is zero to Kubernetes' parser, in spite of the expression in its message.
    if (text.empty()) parts.has_digits = true;
  }
  parts.whole = take_digits(text);
  if (!text.empty() && text[0] == '.') {
    text.remove_prefix(1);
    parts.fraction = take_digits(text);
  }
  parts.has_digits |= !parts.whole.empty() || !parts.fraction.empty();
  parts.whole.remove_prefix(std::min(parts.whole.find_first_not_of('0'), parts.whole.size()));
  parts.suffix = text;
  size_t letters = text.find_first_not_of("eEinumkKMGTP");
  if (letters == text.npos) return parts;
  text.remove_prefix(letters);
  if (text[0] == '-' || text[0] == '+') text.remove_prefix(1);
  take_digits(text);
  if (!text.empty()) return wrong_format();
  return parts;
}

Result<Suffix> interpret(std::string_view text) {
  for (const Suffix& suffix : kSuffixes) {
    if (suffix.text == text) return suffix;
  }
  Error wrong = Error::make(Code::invalid, "unable to parse quantity's suffix");
  if (text.size() < 2 || (text[0] != 'e' && text[0] != 'E')) return wrong;
  std::optional<int64_t> exponent = parse_int(text.substr(1));
  if (!exponent) return wrong;
  return Suffix{text, static_cast<int>(std::clamp<int64_t>(*exponent, -1'000'000, 1'000'000)),
                Quantity::Format::decimal_exponent};
}

// whole.fraction * 10^exponent in nanos, rounded up.
Int128 decimal_nanos(const Parts& parts, int exponent) {
  std::string digits(parts.whole);
  digits += parts.fraction;
  int64_t shift = int64_t{exponent} + 9 - static_cast<int64_t>(parts.fraction.size());
  size_t dropped = shift < 0 ? std::min(digits.size(), static_cast<size_t>(-shift)) : 0;
  size_t kept = digits.size() - dropped;
  Int128 nanos = 0;
  for (size_t i = 0; i < kept; ++i) {
    if (nanos >= kDecimalLimit / 10) return kDecimalLimit;
    nanos = nanos * 10 + (digits[i] - '0');
  }
  for (; shift > 0 && nanos != 0; --shift) {
    if (nanos >= kDecimalLimit / 10) return kDecimalLimit;
    nanos *= 10;
  }
  bool inexact = digits.find_first_not_of('0', kept) != digits.npos;
  return std::min(nanos + inexact, kDecimalLimit);
}

// whole.fraction * 2^exponent in nanos, rounded up.
Int128 binary_nanos(const Parts& parts, int exponent) {
  const Int128 unit = kNano << exponent;  // at most 2^60 * 1e9
  Int128 whole = 0;
  for (char digit : parts.whole) {
    whole = whole * 10 + (digit - '0');
    if (whole > (kInt64Max >> exponent)) return kBinaryLimit;
  }
  // From the last digit to the first: dividing by ten each time keeps everything in range.
  Int128 carry = 0;
  bool inexact = false;
  for (size_t i = parts.fraction.size(); i-- > 0;) {
    Int128 sum = (parts.fraction[i] - '0') * unit + carry;
    inexact |= sum % 10 != 0;
    carry = sum / 10;
  }
  return std::min(whole * unit + carry + inexact, kBinaryLimit);
}

std::string to_text(Int128 number) {
  bool negative = number < 0;
  if (negative) number = -number;
  std::string text;
  do {
    text += static_cast<char>('0' + static_cast<int>(number % 10));
    number /= 10;
  } while (number != 0);
  if (negative) text += '-';
  std::ranges::reverse(text);
  return text;
}

std::string_view suffix_text(Quantity::Format format, int exponent) {
  for (const Suffix& suffix : kSuffixes) {
    if (suffix.format == format && suffix.exponent == exponent) return suffix.text;
  }
  return {};
}

std::string format_binary(Int128 value) {
  int exponent = 0;
  for (; value % 1024 == 0 && exponent < 60; exponent += 10) value /= 1024;
  return to_text(value).append(suffix_text(kBinary, exponent));
}

std::string format_decimal(Int128 nanos, bool as_exponent) {
  int exponent = -9;
  for (; nanos % 10 == 0; ++exponent) nanos /= 10;
  for (; exponent % 3 != 0; --exponent) nanos *= 10;
  std::string text = to_text(nanos);
  if (exponent == 0) return text;
  if (as_exponent || exponent > 18) return text + "e" + std::to_string(exponent);
  return text.append(suffix_text(kDecimal, exponent));
}

// Away from zero, and within int64.
int64_t scale_down(Int128 nanos, Int128 unit) {
  Int128 result = nanos / unit;
  if (nanos % unit != 0) result += nanos < 0 ? -1 : 1;
  constexpr Int128 kMin = std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(std::clamp<Int128>(result, kMin, kInt64Max));
}

Int128 saturating_sum(Int128 a, Int128 b) {
  // Both are within the limit, so the sum may overflow only where it is beyond the limit.
  Int128 sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return a < 0 ? -kDecimalLimit : kDecimalLimit;
  return std::clamp(sum, -kDecimalLimit, kDecimalLimit);
}

}  // namespace

Quantity Quantity::of(int64_t value, Format format) {
  Quantity result;
  result.nanos_ = value * kNano;
  result.format_ = format;
  return result;
}

Quantity Quantity::milli(int64_t milli_value, Format format) {
  Quantity result;
  result.nanos_ = milli_value * (kNano / 1000);
  result.format_ = format;
  return result;
}

Result<Quantity> Quantity::parse(std::string_view text) {
  TRY(Parts parts, split_parts(text));
  TRY(Suffix suffix, interpret(parts.suffix));
  if (!parts.has_digits && suffix.exponent < -9) {
    return Error::make(Code::invalid, "unable to parse numeric part of quantity");
  }
  Quantity result;
  result.format_ = suffix.format;
  bool binary = suffix.format == Format::binary_si;
  Int128 nanos = binary ? binary_nanos(parts, suffix.exponent) : decimal_nanos(parts, suffix.exponent);
  if (binary && nanos > 0 && nanos < kNano) result.format_ = Format::decimal_si;
  result.nanos_ = parts.negative ? -nanos : nanos;
  return result;
}

Quantity Quantity::from(const Value& value) {
  if (value.is_int()) return of(value.as_int());
  if (value.is_string()) return parse(value.as_string()).value_or(Quantity());
  if (!value.is_double() || !std::isfinite(value.as_double())) return {};
  char buffer[32];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, value.as_double()).ptr;
  return parse(std::string_view(buffer, end)).value_or(Quantity());
}

std::string Quantity::format() const {
  if (nanos_ == 0) return "0";
  if (format_ == Format::binary_si) {
    // Where a binary suffix cannot be used, or would lose digits, it is a decimal number.
    Int128 magnitude = nanos_ < 0 ? -nanos_ : nanos_;
    if (magnitude >= 1024 * kNano && magnitude % kNano == 0) return format_binary(nanos_ / kNano);
  }
  return format_decimal(nanos_, format_ == Format::decimal_exponent);
}

int64_t Quantity::value() const { return scale_down(nanos_, kNano); }
int64_t Quantity::milli_value() const { return scale_down(nanos_, kNano / 1000); }

double Quantity::as_double() const {
  return static_cast<double>(static_cast<long double>(nanos_) / 1e9L);
}

Quantity Quantity::operator+(const Quantity& other) const {
  Quantity sum;
  sum.nanos_ = saturating_sum(nanos_, other.nanos_);
  sum.format_ = is_zero() ? other.format_ : format_;
  return sum;
}

Quantity Quantity::operator-(const Quantity& other) const {
  Quantity negated = other;
  negated.nanos_ = -negated.nanos_;
  return *this + negated;
}

std::strong_ordering Quantity::operator<=>(const Quantity& other) const {
  return nanos_ < other.nanos_   ? std::strong_ordering::less
         : nanos_ > other.nanos_ ? std::strong_ordering::greater
                                 : std::strong_ordering::equal;
}

Result<int64_t> scaled_int_or_percent(const Value& value, int64_t total, bool round_up) {
  auto wrong = [](std::string_view why) {
    return Error::make(Code::invalid, "invalid value for IntOrString: " + std::string(why));
  };
  if (value.is_null()) return Error::make(Code::invalid, "nil value for IntOrString");
  if (value.is_number()) return value.as_int();
  if (!value.is_string()) return wrong("invalid type: neither int nor percentage");
  std::string_view text = value.as_string();
  if (!text.ends_with('%')) return wrong("invalid type: string is not a percentage");
  std::string_view digits = text.substr(0, text.size() - 1);
  std::optional<int64_t> percent = parse_int(digits);
  if (!percent) {
    return wrong("invalid value " + quote(text) + ": strconv.Atoi: parsing " + quote(digits) +
                 ": invalid syntax");
  }
  Int128 product = static_cast<Int128>(*percent) * total;
  Int128 scaled = product / 100;
  if (round_up && product > 0 && product % 100 != 0) ++scaled;
  if (!round_up && product < 0 && product % 100 != 0) --scaled;
  constexpr Int128 kMin = std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(std::clamp<Int128>(scaled, kMin, kInt64Max));
}

}  // namespace orch
