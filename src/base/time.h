#pragma once
// Points in time and lengths of time. The pure floors never read a clock: time is an input.
// Instant is wall-clock time (nanoseconds since 1970-01-01T00:00:00Z) and goes into objects;
// Mono is monotonic time since an arbitrary start and drives timers.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace orch {

using Duration = std::chrono::nanoseconds;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""us;
using std::chrono_literals::operator""ns;

struct Instant {
  int64_t ns = 0;
  auto operator<=>(const Instant&) const = default;
  int64_t seconds() const { return ns >= 0 ? ns / 1'000'000'000 : -((-ns + 999'999'999) / 1'000'000'000); }
};
inline Instant operator+(Instant t, Duration d) { return {t.ns + d.count()}; }
inline Instant operator-(Instant t, Duration d) { return {t.ns - d.count()}; }
inline Duration operator-(Instant a, Instant b) { return Duration(a.ns - b.ns); }

struct Mono {
  int64_t ns = 0;
  auto operator<=>(const Mono&) const = default;
};
inline Mono operator+(Mono t, Duration d) { return {t.ns + d.count()}; }
inline Duration operator-(Mono a, Mono b) { return Duration(a.ns - b.ns); }

// RFC 3339 in UTC: metav1.Time has seconds ("2006-01-02T15:04:05Z"), metav1.MicroTime six decimals.
std::string format_time(Instant t);
std::string format_micro_time(Instant t);
// Accepts RFC 3339 with any offset and up to nine decimals.
Result<Instant> parse_time(std::string_view text);

// Go's time.Duration text: "1h30m0s", "1.5s", "300ms".
std::string format_duration(Duration d);
Result<Duration> parse_duration(std::string_view text);

// apimachinery's duration.HumanDuration: "5s", "3m20s", "4d3h", "2y19d"; what AGE columns show.
std::string format_age(Duration d);

}  // namespace orch
