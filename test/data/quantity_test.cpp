#include "data/quantity.h"

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include <catch2/catch_test_macros.hpp>

namespace orch {
namespace {

std::string canonical(std::string_view text) {
  auto quantity = Quantity::parse(text);
  return quantity ? quantity->format() : "error: " + quantity.error().message();
}

TEST_CASE("quantities are written in Kubernetes' canonical form") {
  // Each line as kubectl 1.33 writes it: create quota q --hard=cpu=<left> --dry-run=client -o yaml.
  const std::pair<const char*, const char*> kCases[] = {
      {"0", "0"}, {"0.5", "500m"}, {"1000m", "1"}, {"1.5Gi", "1536Mi"}, {"12e6", "12e6"},
      {"1024Mi", "1Gi"}, {"1Ki", "1Ki"}, {"512Ki", "512Ki"}, {"0.5Ki", "512"}, {"1.5Ki", "1536"},
      {"0.1Ki", "102400m"}, {"1.1Ki", "1126400m"}, {"0.0000000001Ki", "103n"}, {"1e-10", "1e-9"},
      {"1.0000000001", "1000000001n"}, {"-5", "-5"}, {"-0.5", "-500m"}, {"1E", "1E"},
      {"99999999999999999999999", "99999999999999999999999"},
      {"9223372036854775808", "9223372036854775808"}, {"8Ei", "9223372036854775807"},
      {"16Ei", "9223372036854775807"}, {"-16Ei", "-9223372036854775807"}, {"7Ei", "7Ei"},
      {"Ki", "0"}, {".", "0"}, {"+", "0"}, {"E", "0"}, {"1000k", "1M"}, {"1000000", "1M"},
      {"1e3", "1e3"}, {"10e3", "10e3"}, {"100000", "100k"}, {"2048", "2048"},
      {".5", "500m"}, {"0.1u", "100n"}, {"0.0001m", "100n"}, {"0.0000001m", "1n"},
  };
  for (const auto& [text, expected] : kCases) {
    INFO(text);
    CHECK(canonical(text) == expected);
  }
}

TEST_CASE("a suffix beyond exa, which Kubernetes has not, becomes an exponent") {
  CHECK(canonical("1000E") == "1e21");
}

TEST_CASE("what is no quantity is refused in Kubernetes' words") {
  const std::string expression =
      "error: quantities must match the regular expression "
      "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
  for (std::string_view text : {"", "1Kib", "1.2.3", "1 ", " 1", "abc", "1e1.5", "1m!"}) {
    INFO(text);
    CHECK(canonical(text) == expression);
  }
  for (std::string_view text : {"5ki", "1e", "1KiKi", "1mm", "1K", "1ee5", "--1", "1e99999999999999999999"}) {
    INFO(text);
    CHECK(canonical(text) == "error: unable to parse quantity's suffix");
  }
  CHECK(canonical("e-20") == "error: unable to parse numeric part of quantity");
}

TEST_CASE("integers are rounded away from zero and saturate") {
  CHECK(Quantity::parse("1.1")->value() == 2);
  CHECK(Quantity::parse("-1.1")->value() == -2);
  CHECK(Quantity::parse("1n")->milli_value() == 1);
  CHECK(Quantity::parse("100m")->milli_value() == 100);
  CHECK(Quantity::parse("1e25")->value() == INT64_MAX);
  CHECK(Quantity::parse("-1e25")->value() == INT64_MIN);
  CHECK(Quantity::parse("10E")->milli_value() == INT64_MAX);
  CHECK(Quantity::of(INT64_MAX).value() == INT64_MAX);
  CHECK(Quantity::of(INT64_MIN).value() == INT64_MIN);
  CHECK(Quantity::milli(INT64_MIN).milli_value() == INT64_MIN);
}

TEST_CASE("numbers without end neither overflow nor take long") {
  const std::string digits(100'000, '9');
  const std::vector<std::string> texts = {
      digits,       digits + "Ei",  digits + "e999999999", "0." + digits + "Ei",
      "-" + digits, "1e2147483647", "1e-2147483648"};
  for (const std::string& text : texts) {
    auto quantity = Quantity::parse(text);
    REQUIRE(quantity);
    Quantity sum = *quantity + *quantity + *quantity;
    CHECK(sum.sign() == quantity->sign());
    CHECK(*Quantity::parse(quantity->format()) == *quantity);
  }
}

TEST_CASE("sums keep the style of the first summand that is not zero") {
  auto sum = [](const char* a, const char* b) {
    return (*Quantity::parse(a) + *Quantity::parse(b)).format();
  };
  CHECK(sum("1Gi", "512Mi") == "1536Mi");
  CHECK(sum("100m", "900m") == "1");
  CHECK(sum("0", "1Mi") == "1Mi");
  CHECK(sum("1M", "1Mi") == "2048576");
  CHECK(sum("1Mi", "1m") == "1048576001m");
  CHECK((*Quantity::parse("1Gi") - *Quantity::parse("1Gi")).format() == "0");
  CHECK((*Quantity::parse("1Gi") - *Quantity::parse("2Gi")).format() == "-1Gi");
}

TEST_CASE("order and equality look at the amount, not at the spelling") {
  CHECK(*Quantity::parse("1Ki") == *Quantity::parse("1024"));
  CHECK(*Quantity::parse("1k") < *Quantity::parse("1Ki"));
  CHECK(*Quantity::parse("-1") < Quantity());
  CHECK(Quantity::parse("-1")->sign() == -1);
  CHECK(Quantity::parse("2.5")->as_double() == 2.5);
}

TEST_CASE("a Value gives a quantity whether it is text or a number") {
  CHECK(Quantity::from(Value("1.5Gi")).format() == "1536Mi");
  CHECK(Quantity::from(Value(3)).format() == "3");
  CHECK(Quantity::from(Value(0.5)).format() == "500m");
  CHECK(Quantity::from(Value()).is_zero());
  CHECK(Quantity::from(Value("much")).is_zero());
}

TEST_CASE("an integer or a percentage of a total") {
  CHECK(*scaled_int_or_percent(Value(3), 10, true) == 3);
  CHECK(*scaled_int_or_percent(Value("25%"), 10, true) == 3);
  CHECK(*scaled_int_or_percent(Value("25%"), 10, false) == 2);
  CHECK(*scaled_int_or_percent(Value("100%"), 7, true) == 7);
  CHECK(*scaled_int_or_percent(Value("0%"), 7, true) == 0);
  CHECK(scaled_int_or_percent(Value("25"), 10, true).error().message() ==
        "invalid value for IntOrString: invalid type: string is not a percentage");
  CHECK(scaled_int_or_percent(Value("x%"), 10, true).error().message() ==
        "invalid value for IntOrString: invalid value \"x%\": strconv.Atoi: parsing \"x\": "
        "invalid syntax");
  CHECK(scaled_int_or_percent(Value(), 10, true).error().message() == "nil value for IntOrString");
}

TEST_CASE("random quantities survive being written and read, and sums commute") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  const char* kSuffixes[] = {"", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi",
                             "Gi", "Ti", "Pi", "Ei", "e3", "E-6", "e0", "e12"};
  auto make = [&] {
    std::string text = random() % 3 == 0 ? "-" : "";
    text += std::to_string(random() >> (1 + random() % 63));
    if (random() % 2) text += "." + std::to_string(random() >> (1 + random() % 63));
    return text + kSuffixes[random() % std::size(kSuffixes)];
  };
  for (int i = 0; i < 5000; ++i) {
    std::string first = make();
    std::string second = make();
    INFO(first << " and " << second);
    Quantity a = *Quantity::parse(first);
    Quantity b = *Quantity::parse(second);
    REQUIRE(*Quantity::parse(a.format()) == a);
    // Not the same spelling: 312.5Ki is written "320000", which is read as a decimal number.
    Quantity again = *Quantity::parse(a.format());
    REQUIRE(Quantity::parse(again.format())->format() == again.format());
    REQUIRE(a + b == b + a);
    REQUIRE((a < b) == (b - a > Quantity()));
    REQUIRE((a.value() >= 0) == (a.sign() >= 0));
  }
}

}  // namespace
}  // namespace orch
