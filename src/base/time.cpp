#include "base/time.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <optional>

#include "base/text.h"

namespace orch {

namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kHour = 60 * kMinute;

struct Civil {
  int year;
  unsigned month, day;
  int hour, minute, second;
};

Civil civil_of(int64_t seconds) {
  using namespace std::chrono;
  sys_seconds point{std::chrono::seconds(seconds)};
  sys_days day = floor<days>(point);
  year_month_day date(day);
  int64_t rest = (point - day).count();
  return {static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()), static_cast<int>(rest / 3600),
          static_cast<int>(rest / 60 % 60), static_cast<int>(rest % 60)};
}

// A cursor over "2006-01-02T15:04:05.999999999+07:00"; each step fails by returning false and
// leaves in `expected` what should have stood there, in the notation of Go's layouts.
struct TimeScanner {
  std::string_view rest;
  std::string_view expected;

  bool digits(int count, int low, int high, std::string_view layout, int& out) {
    expected = layout;
    if (rest.size() < static_cast<size_t>(count)) return false;
    int value = 0;
    for (int i = 0; i < count; ++i) {
      char c = rest[static_cast<size_t>(i)];
      if (c < '0' || c > '9') return false;
      value = value * 10 + (c - '0');
    }
    if (value < low || value > high) return false;
    rest.remove_prefix(static_cast<size_t>(count));
    out = value;
    return true;
  }

  bool literal(char c, std::string_view layout) {
    expected = layout;
    if (rest.empty() || rest[0] != c) return false;
    rest.remove_prefix(1);
    return true;
  }

  // ".5" -> 500,000,000. Absent is fine; more than nine decimals are cut off, as in Go.
  bool fraction(int64_t& nanoseconds) {
    nanoseconds = 0;
    if (rest.size() < 2 || (rest[0] != '.' && rest[0] != ',') || rest[1] < '0' || rest[1] > '9') {
      return true;
    }
    rest.remove_prefix(1);
    int64_t unit = kSecond / 10;
    while (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') {
      nanoseconds += (rest[0] - '0') * unit;
      unit /= 10;
      rest.remove_prefix(1);
    }
    return true;
  }

  bool offset(int64_t& seconds) {
    seconds = 0;
    expected = "Z07:00";
    if (rest == "Z") {
      rest = {};
      return true;
    }
    if (rest.size() != 6 || (rest[0] != '+' && rest[0] != '-')) return false;
    TimeScanner zone{rest.substr(1), {}};
    int hours = 0, minutes = 0;
    if (!zone.digits(2, 0, 24, "", hours) || !zone.literal(':', "") ||
        !zone.digits(2, 0, 60, "", minutes)) {
      return false;
    }
    seconds = (hours * 3600 + minutes * 60) * (rest[0] == '-' ? -1 : 1);
    rest = {};
    return true;
  }
};

struct NamedUnit {
  std::string_view name;
  int64_t ns;
};
// Both micro signs: U+00B5 and the Greek letter U+03BC.
constexpr std::array<NamedUnit, 8> kUnits{{{"ns", 1},
                                      {"us", 1'000},
                                      {"\u00b5s", 1'000},
                                      {"\u03bcs", 1'000},
                                      {"ms", 1'000'000},
                                      {"s", kSecond},
                                      {"m", kMinute},
                                      {"h", kHour}}};

std::optional<int64_t> unit_ns(std::string_view name) {
  for (const NamedUnit& unit : kUnits) {
    if (unit.name == name) return unit.ns;
  }
  return std::nullopt;
}

// value/unit as a decimal without trailing zeros: 1500000/1000000 -> "1.5".
std::string decimal(uint64_t value, uint64_t unit) {
  std::string text = std::to_string(value / unit);
  uint64_t rest = value % unit;
  if (rest == 0) return text;
  text += '.';
  while (rest != 0) {
    rest *= 10;
    text += static_cast<char>('0' + rest / unit);
    rest %= unit;
  }
  return text;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

Error bad_duration(std::string_view text) {
  return Error::make(Code::parse, "time: invalid duration " + quote(text));
}

// One "<number><unit>" off the front of `rest`, in nanoseconds.
Result<uint64_t> take_term(std::string_view& rest, std::string_view whole) {
  constexpr uint64_t kLimit = uint64_t{1} << 63;
  uint64_t number = 0, fraction = 0;
  double scale = 1;
  size_t i = 0;
  for (; i < rest.size() && is_digit(rest[i]); ++i) {
    if (number > kLimit / 10) return bad_duration(whole);
    number = number * 10 + static_cast<uint64_t>(rest[i] - '0');
  }
  bool any = i > 0;
  if (i < rest.size() && rest[i] == '.') {
    for (++i; i < rest.size() && is_digit(rest[i]); ++i) {
      any = true;
      if (fraction > (kLimit - 1) / 10 - 1) continue;  // finer than any unit needs
      fraction = fraction * 10 + static_cast<uint64_t>(rest[i] - '0');
      scale *= 10;
    }
  }
  if (!any) return bad_duration(whole);
  rest.remove_prefix(i);

  size_t end = 0;
  while (end < rest.size() && rest[end] != '.' && !is_digit(rest[end])) ++end;
  std::string_view name = rest.substr(0, end);
  rest.remove_prefix(end);
  if (name.empty()) {
    return Error::make(Code::parse, "time: missing unit in duration " + quote(whole));
  }
  auto unit = unit_ns(name);
  if (!unit) {
    return Error::make(Code::parse,
                       "time: unknown unit " + quote(name) + " in duration " + quote(whole));
  }
  uint64_t ns = static_cast<uint64_t>(*unit);
  if (number > kLimit / ns) return bad_duration(whole);
  // In floating point, as Go does it: a third of an hour with many digits is 20 minutes.
  double part = static_cast<double>(fraction) * (static_cast<double>(ns) / scale);
  uint64_t total = number * ns + static_cast<uint64_t>(part);
  if (total > kLimit) return bad_duration(whole);
  return total;
}

}  // namespace

std::string format_time(Instant t) {
  Civil c = civil_of(t.seconds());
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", c.year, c.month, c.day, c.hour,
                c.minute, c.second);
  return text;
}

std::string format_micro_time(Instant t) {
  int64_t seconds = t.seconds();
  // Not t.ns - seconds * kSecond: near the lower end that product does not fit.
  int64_t nanoseconds = t.ns % kSecond;
  if (nanoseconds < 0) nanoseconds += kSecond;
  Civil c = civil_of(seconds);
  char text[48];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", c.year, c.month, c.day,
                c.hour, c.minute, c.second, static_cast<int>(nanoseconds / 1000));
  return text;
}

Result<Instant> parse_time(std::string_view text) {
  using namespace std::chrono;
  TimeScanner scan{text, {}};
  int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0;
  int64_t nanoseconds = 0, offset = 0;
  bool ok = scan.digits(4, 0, 9999, "2006", y) && scan.literal('-', "-") &&
            scan.digits(2, 1, 12, "01", mo) && scan.literal('-', "-") &&
            scan.digits(2, 1, 31, "02", d) && scan.literal('T', "T") &&
            scan.digits(2, 0, 23, "15", h) && scan.literal(':', ":") &&
            scan.digits(2, 0, 59, "04", mi) && scan.literal(':', ":") &&
            scan.digits(2, 0, 59, "05", s) && scan.fraction(nanoseconds) && scan.offset(offset);
  std::string prefix = "parsing time " + quote(text);
  if (!ok) {
    return Error::make(Code::parse, prefix + " as \"2006-01-02T15:04:05Z07:00\": cannot parse " +
                                        quote(scan.rest) + " as " + quote(scan.expected));
  }
  year_month_day date{year(y), month(static_cast<unsigned>(mo)), day(static_cast<unsigned>(d))};
  if (!date.ok()) return Error::make(Code::parse, prefix + ": day out of range");
  int64_t total = duration_cast<seconds>(sys_days(date).time_since_epoch()).count() + h * 3600 +
                  mi * 60 + s - offset;
  // 64 bits of nanoseconds reach from 1677 to 2262.
  constexpr int64_t kReach = std::numeric_limits<int64_t>::max() / kSecond - 1;
  if (total < -kReach || total > kReach) {
    return Error::make(Code::parse, prefix + ": year out of range");
  }
  return Instant{total * kSecond + nanoseconds};
}

std::string format_duration(Duration d) {
  if (d.count() == 0) return "0s";
  bool negative = d.count() < 0;
  uint64_t ns = static_cast<uint64_t>(d.count());
  if (negative) ns = 0 - ns;
  std::string text = negative ? "-" : "";
  if (ns < 1'000) return text + decimal(ns, 1) + "ns";
  if (ns < 1'000'000) return text + decimal(ns, 1'000) + "\u00b5s";
  if (ns < kSecond) return text + decimal(ns, 1'000'000) + "ms";
  uint64_t hours = ns / kHour;
  uint64_t minutes = ns / kMinute;
  if (hours > 0) text += std::to_string(hours) + "h";
  if (minutes > 0) text += std::to_string(minutes % 60) + "m";
  return text + decimal(ns % kMinute, kSecond) + "s";
}

Result<Duration> parse_duration(std::string_view text) {
  std::string_view rest = text;
  bool negative = !rest.empty() && rest[0] == '-';
  if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) rest.remove_prefix(1);
  if (rest == "0") return Duration(0);
  if (rest.empty()) return bad_duration(text);
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  uint64_t total = 0;
  while (!rest.empty()) {
    TRY(uint64_t term, take_term(rest, text));
    total += term;
    if (total > kMax + 1) return bad_duration(text);
  }
  if (total > kMax && !negative) return bad_duration(text);
  return Duration(static_cast<int64_t>(negative ? 0 - total : total));
}

std::string format_age(Duration d) {
  constexpr int64_t kDay = 24 * 3600, kYear = 365 * kDay;
  struct Step {
    int64_t below;  // seconds
    int64_t unit;
    char name;
    int64_t finer;  // the second unit, shown where it is not zero; 0: none
    char finer_name;
  };
  static constexpr std::array<Step, 8> kSteps{{{120, 1, 's', 0, 0},
                                               {600, 60, 'm', 1, 's'},
                                               {3 * 3600, 60, 'm', 0, 0},
                                               {8 * 3600, 3600, 'h', 60, 'm'},
                                               {2 * kDay, 3600, 'h', 0, 0},
                                               {8 * kDay, kDay, 'd', 3600, 'h'},
                                               {2 * kYear, kDay, 'd', 0, 0},
                                               {8 * kYear, kYear, 'y', kDay, 'd'}}};
  int64_t seconds = d.count() / kSecond;
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";  // clocks differ a little
  for (const Step& step : kSteps) {
    if (seconds >= step.below) continue;
    std::string text = std::to_string(seconds / step.unit) + step.name;
    int64_t finer = step.finer ? seconds % step.unit / step.finer : 0;
    if (finer) text += std::to_string(finer) + step.finer_name;
    return text;
  }
  return std::to_string(seconds / kYear) + "y";
}

}  // namespace orch
