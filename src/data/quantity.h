#pragma once
// resource.Quantity: exact decimal numbers with suffixes ("100m", "1.5Gi", "12e6").

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "data/value.h"

namespace orch {

class Quantity {
 public:
  enum class Format : uint8_t { decimal_si, binary_si, decimal_exponent };
  Quantity() = default;
  static Quantity of(int64_t value, Format format = Format::decimal_si);
  static Quantity milli(int64_t milli_value, Format format = Format::decimal_si);
  // Errors: Code::invalid with Kubernetes' text ("quantities must match the regular expression ...").
  static Result<Quantity> parse(std::string_view text);
  // A string or number Value; null or unparsable: zero.
  static Quantity from(const Value& value);

  // Kubernetes' canonical form: "0.5" -> "500m", "1024Mi" -> "1Gi".
  std::string format() const;
  int64_t value() const;        // rounded up to an integer, saturating
  int64_t milli_value() const;  // rounded up to thousandths, saturating
  double as_double() const;
  bool is_zero() const { return nanos_ == 0; }
  int sign() const { return nanos_ < 0 ? -1 : nanos_ > 0; }
  Quantity operator+(const Quantity& other) const;
  Quantity operator-(const Quantity& other) const;
  std::strong_ordering operator<=>(const Quantity& other) const;
  bool operator==(const Quantity& other) const { return nanos_ == other.nanos_; }

 private:
  __extension__ using Int128 = __int128;
  Int128 nanos_ = 0;  // in units of 1e-9, which is Kubernetes' smallest scale
  Format format_ = Format::decimal_si;
};

// util/intstr: an integer or "25%" of total.
Result<int64_t> scaled_int_or_percent(const Value& value, int64_t total, bool round_up);

}  // namespace orch
