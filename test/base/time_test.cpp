#include "base/time.h"

#include <catch2/catch_test_macros.hpp>
#include <limits>

#include "base/random.h"

using namespace orch;

TEST_CASE("times print as RFC 3339 in UTC") {
  REQUIRE(format_time({0}) == "1970-01-01T00:00:00Z");
  REQUIRE(format_time({1'136'214'245'999'999'999}) == "2006-01-02T15:04:05Z");
  REQUIRE(format_micro_time({1'136'214'245'123'456'789}) == "2006-01-02T15:04:05.123456Z");
  REQUIRE(format_time({-1}) == "1969-12-31T23:59:59Z");
  REQUIRE(format_micro_time({-1}) == "1969-12-31T23:59:59.999999Z");
  REQUIRE(format_time({951'782'400'000'000'000}) == "2000-02-29T00:00:00Z");
}

TEST_CASE("times parse with any offset and up to nine decimals") {
  REQUIRE(parse_time("2006-01-02T15:04:05Z")->ns == 1'136'214'245'000'000'000);
  REQUIRE(parse_time("2006-01-02T15:04:05.123456789Z")->ns == 1'136'214'245'123'456'789);
  REQUIRE(parse_time("2006-01-02T22:04:05.5+07:00")->ns == 1'136'214'245'500'000'000);
  REQUIRE(parse_time("2006-01-02T08:34:05-06:30")->ns == 1'136'214'245'000'000'000);
}

TEST_CASE("what is not a time is refused with Go's words") {
  for (std::string_view bad :
       {"", "2006", "2006-01-02", "2006-01-02 15:04:05Z", "2006-13-02T15:04:05Z",
        "2006-01-02T24:04:05Z", "2006-01-02T15:04:05", "2006-01-02T15:04:05Zx",
        "2006-01-02T15:04:05.Z", "2001-02-29T00:00:00Z", "0001-01-01T00:00:00Z",
        "2006-01-02T15:04:05+7:00", "2006-01-02t15:04:05z"}) {
    INFO(bad);
    REQUIRE(parse_time(bad).error().is(Code::parse));
  }
  REQUIRE(parse_time("soon").error().message() ==
          R"(parsing time "soon" as "2006-01-02T15:04:05Z07:00": cannot parse "soon" as "2006")");
  REQUIRE(parse_time("2001-02-29T00:00:00Z").error().message() ==
          R"(parsing time "2001-02-29T00:00:00Z": day out of range)");
}

TEST_CASE("printed times read back") {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    Instant t{static_cast<int64_t>(random.next()) / 1'000'000 * 1'000};  // microseconds
    REQUIRE(parse_time(format_micro_time(t)).value() == t);
    REQUIRE(parse_time(format_time(t)).value() == Instant{t.seconds() * 1'000'000'000});
  }
}

TEST_CASE("durations print as Go's") {
  const std::pair<Duration, std::string_view> cases[] = {
      {0s, "0s"},
      {1ns, "1ns"},
      {1100ns, "1.1µs"},
      {2200us, "2.2ms"},
      {3300ms, "3.3s"},
      {300s, "5m0s"},
      {4min + 5s, "4m5s"},
      {4min + 5s + 1ms, "4m5.001s"},
      {5h + 6min + 7s + 1ms, "5h6m7.001s"},
      {8min + 1ns, "8m0.000000001s"},
      {1h, "1h0m0s"},
      {-90s, "-1m30s"},
      {Duration::max(), "2562047h47m16.854775807s"},
      {Duration::min(), "-2562047h47m16.854775808s"}};
  for (auto [duration, text] : cases) {
    REQUIRE(format_duration(duration) == text);
    REQUIRE(parse_duration(text).value() == duration);
  }
}

TEST_CASE("durations parse as Go's") {
  REQUIRE(parse_duration("1h30m").value() == 90min);
  REQUIRE(parse_duration("+.5s").value() == 500ms);
  REQUIRE(parse_duration("1.s").value() == 1s);
  REQUIRE(parse_duration("0").value() == 0s);
  REQUIRE(parse_duration("-0").value() == 0s);
  REQUIRE(parse_duration("3m1h").value() == 63min);
  REQUIRE(parse_duration("12us").value() == 12us);
  REQUIRE(parse_duration("0.3333333333333333333h").value() == 20min);
  REQUIRE(parse_duration("3").error().message() == "time: missing unit in duration \"3\"");
  REQUIRE(parse_duration("3x").error().message() ==
          "time: unknown unit \"x\" in duration \"3x\"");
  for (std::string_view bad : {"", "-", "+", "s", ".s", "-.s", "1h 2m", "9223372036854775808ns",
                               "2562048h", "9999999999999999999999s", "1d"}) {
    INFO(bad);
    REQUIRE(!parse_duration(bad).ok());
  }
}

TEST_CASE("ages are as coarse as kubectl's") {
  auto day = 24h;
  const std::pair<Duration, std::string_view> cases[] = {
      {-5s, "<invalid>"},      {-1s, "0s"},
      {0s, "0s"},              {119s, "119s"},
      {120s, "2m"},            {200s, "3m20s"},
      {599s, "9m59s"},         {601s, "10m"},
      {179min, "179m"},        {180min, "3h"},
      {4h + 30min, "4h30m"},   {8h + 59min, "8h"},
      {47h, "47h"},            {48h, "2d"},
      {4 * day + 3h, "4d3h"},  {7 * day + 23h, "7d23h"},
      {8 * day + 3h, "8d"},    {729 * day, "729d"},
      {730 * day, "2y"},       {749 * day, "2y19d"},
      {8 * 365 * day, "8y"},   {10 * 365 * day + 9 * day, "10y"}};
  for (auto [age, text] : cases) REQUIRE(format_age(age) == text);
}
