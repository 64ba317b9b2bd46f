#include "data/json.h"

#include <catch2/catch_test_macros.hpp>
#include <limits>

#include "base/text.h"
#include "support/random_value.h"

using namespace orch;
using namespace std::string_literals;

namespace {

Value parsed(std::string_view text) {
  INFO(text);
  auto value = parse_json(text);
  REQUIRE(value.ok());
  return *value;
}

std::vector<std::string> duplicates_of(std::string_view text) {
  std::vector<std::string> duplicates;
  JsonOptions options;
  options.duplicates = &duplicates;
  REQUIRE(parse_json(text, options).ok());
  return duplicates;
}

std::string nested(size_t levels, bool objects) {
  std::string text;
  for (size_t i = 0; i < levels; ++i) text += objects ? "{\"a\":" : "[";
  text += "1";
  for (size_t i = 0; i < levels; ++i) text += objects ? '}' : ']';
  return text;
}

}  // namespace

TEST_CASE("JSON becomes values of the same kinds") {
  Value value = parsed(R"( {"b": [1, -2.5, true, null], "a": {"": "x"}, "c": []} )");
  REQUIRE(value == Value::object({{"a", Value::object({{"", "x"}})},
                                  {"b", Value::list({1, -2.5, true, nullptr})},
                                  {"c", Value::list({})}}));
  REQUIRE(parsed("\"text\"") == Value("text"));
}

TEST_CASE("integers stay integers within 64 bits, and are doubles beyond") {
  REQUIRE(parsed("9223372036854775807") == Value(INT64_MAX));
  REQUIRE(parsed("-9223372036854775808") == Value(INT64_MIN));
  REQUIRE(parsed("9223372036854775808") == Value(9223372036854775808.0));
  REQUIRE(parsed("-9223372036854775809") == Value(-9223372036854775808.0));
  REQUIRE(parsed("18446744073709551616") == Value(18446744073709551616.0));
  REQUIRE(parsed("1.0") == Value(1.0));
  REQUIRE(parsed("1e2") == Value(100.0));
  REQUIRE(parsed("0.1") == Value(0.1));
  REQUIRE(parsed("0e-70") == Value(0.0));
  REQUIRE(parsed("-0") == Value(0));
  REQUIRE(parsed("1e-400") == Value(0.0));
  REQUIRE(parsed("4.9406564584124654e-324") == Value(5e-324));
  REQUIRE(parsed("1.7976931348623157e308") == Value(1.7976931348623157e308));
  REQUIRE(parsed("[1,22,-333,4.5e0,6]") == Value::list({1, 22, -333, 4.5, 6}));
  REQUIRE(parsed("2.2250738585072011e-308") == Value(2.2250738585072011e-308));
}

TEST_CASE("escapes and surrogate pairs are decoded") {
  REQUIRE(parsed(R"("\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00")") == Value("\"\\/\b\f\n\r\tä😀"));
  REQUIRE(parsed(R"("a\u0000b")") == Value("a\0b"s));
}

TEST_CASE("halves of surrogate pairs and invalid UTF-8 become U+FFFD") {
  REQUIRE(parsed(R"("\ud83d")") == Value("\uFFFD"));
  REQUIRE(parsed(R"("\ud83dx\udc00")") == Value("\uFFFDx\uFFFD"));
  REQUIRE(parsed(R"("\ud83d\ud83d\ude00")") == Value("\uFFFD😀"));
  REQUIRE(parsed(R"("\\ud83d")") == Value("\\ud83d"));
  REQUIRE(parsed("\"a\xff\xc3\"") == Value("a\uFFFD\uFFFD"));
}

TEST_CASE("what is not JSON is refused") {
  for (std::string_view bad :
       {"", " ", "{", "[1", "[1,]", "{\"a\":1,}", "{\"a\"}", "{a:1}", "{'a':1}", "01", "1.", ".5",
        "+1", "-", "1e", "nul", "True", "NaN", "Infinity", "\"a", "\"\\x\"", "\"\\u12\"",
        "\"\\u12g4\"", "{} {}", "1 2", "[1]]", "//", "/**/1", "\"\n\"", "1e400", "1.8e308", "\xEF\xBB\xBF{}"}) {
    INFO(bad);
    auto value = parse_json(bad);
    REQUIRE(!value.ok());
    REQUIRE(value.error().is(Code::parse));
  }
  REQUIRE(!parse_json("{}\0{}"s).ok());
  REQUIRE(!parse_json("{}\0"s).ok());
  REQUIRE(!parse_json("\"a\0b\""s).ok());
}

TEST_CASE("a JSON error says at which byte") {
  std::string message = parse_json("{\"a\": x}").error().message();
  INFO(message);
  REQUIRE(message.find("byte 6") != std::string::npos);
}

TEST_CASE("nesting is bounded") {
  for (bool objects : {false, true}) {
    REQUIRE(parse_json(nested(1000, objects)).ok());
    REQUIRE(!parse_json(nested(1001, objects)).ok());
    REQUIRE(!parse_json(nested(10'000, objects)).ok());
    REQUIRE(!parse_json(nested(1'000'000, objects)).ok());
    Value deep = *parse_json(nested(1000, objects));
    REQUIRE(deep.depth() == 1000);
    REQUIRE(*parse_json(format_json(deep)) == deep);
    REQUIRE(format_json_pretty(deep, 1).size() > 1'000'000);
  }
  JsonOptions options;
  options.max_depth = 2;
  REQUIRE(parse_json("[[1]]", options).ok());
  REQUIRE(parse_json("[[[1]]]", options).error().message().find("deeper than 2") !=
          std::string::npos);
}

TEST_CASE("of equal keys the last wins") {
  REQUIRE(parsed(R"({"a":1,"b":2,"a":3})") == Value::object({{"a", 3}, {"b", 2}}));
}

TEST_CASE("duplicate fields are named by their path") {
  using Texts = std::vector<std::string>;
  REQUIRE(duplicates_of(R"({"a":{"b":1},"c":[{"b":1}]})").empty());
  REQUIRE(duplicates_of(R"({"spec":{"replicas":1,"replicas":2}})") ==
          Texts{R"(duplicate field "spec.replicas")"});
  REQUIRE(duplicates_of(
              R"({"spec":{"containers":[{"name":"a"},{"name":"b","env":[],"name":"c"}]},"spec":{}})") ==
          Texts{R"(duplicate field "spec.containers[1].name")", R"(duplicate field "spec")"});
  REQUIRE(duplicates_of(R"([[{"x":[1,2,{"y":1,"y":2}]}]])") ==
          Texts{R"(duplicate field "[0][0].x[2].y")"});
  REQUIRE(duplicates_of(R"({"a":1,"a":2,"a":3})") == Texts{R"(duplicate field "a")"});
}

TEST_CASE("duplicates in large objects are found, and only so many are named") {
  std::string text = "{";
  for (int i = 0; i < 5000; ++i) text += "\"k" + std::to_string(i % 2500) + "\":1,";
  text += "\"end\":1}";
  auto duplicates = duplicates_of(text);
  REQUIRE(duplicates.size() == 100);
  REQUIRE(duplicates[0] == R"(duplicate field "k0")");
}

TEST_CASE("a key cache shares keys and changes nothing else") {
  KeyCache keys;
  JsonOptions options;
  options.keys = &keys;
  Value a = *parse_json(R"({"name":1,"other":{"name":2}})", options);
  Value b = *parse_json(R"({"name":3})", options);
  REQUIRE(a.members()[0].key.same(b.members()[0].key));
  REQUIRE(a["other"].members()[0].key.same(b.members()[0].key));
  REQUIRE(format_json(a) == R"({"name":1,"other":{"name":2}})");
}

TEST_CASE("JSON is written compact, with sorted keys and Go's numbers") {
  REQUIRE(format_json(parsed(R"( {"b" : [ ], "a" : { } , "c":[1, {"z":null,"y":false}]} )")) ==
          R"({"a":{},"b":[],"c":[1,{"y":false,"z":null}]})");
  const std::pair<double, std::string_view> numbers[] = {
      {1.0, "1"},          {-0.5, "-0.5"},       {1e20, "100000000000000000000"},
      {1e21, "1e+21"},     {1e-6, "0.000001"},   {1e-7, "1e-7"},
      {1.5e300, "1.5e+300"}, {-1.25e-10, "-1.25e-10"}, {0.1, "0.1"},
      {5e-324, "5e-324"},  {0.0, "0"}, {123456789.125, "123456789.125"}};
  for (auto [number, text] : numbers) REQUIRE(format_json(number) == text);
  REQUIRE(format_json(std::numeric_limits<double>::infinity()) == "null");
  REQUIRE(format_json(std::numeric_limits<double>::quiet_NaN()) == "null");
  REQUIRE(format_json(INT64_MIN) == "-9223372036854775808");
}

TEST_CASE("JSON text is escaped where it must be") {
  REQUIRE(format_json("\"\\/\b\f\n\r\t\x01\x1f\x7f") == "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
  REQUIRE(format_json("<a & b>") == "\"<a & b>\"");
  REQUIRE(format_json("ä世😀") == "\"ä世😀\"");
  REQUIRE(format_json("\u2028x\u2029") == R"("\u2028x\u2029")");
  REQUIRE(format_json("\xff \xe4\xb8") == "\"\uFFFD \uFFFD\uFFFD\"");
  REQUIRE(format_json("a\0b"s) == R"("a\u0000b")");
  // The plain bytes are skipped eight at a time: an escape at every place of such a word.
  for (size_t at = 0; at < 24; ++at) {
    for (char c : {'"', '\\', '\n', '\x1f', '\x00'}) {
      std::string text(24, 'x');
      text[at] = c;
      REQUIRE(*parse_json(format_json(text)) == Value(text));
    }
  }
}

TEST_CASE("pretty JSON looks like kubectl's") {
  // kubectl patch --local -o json
  Value value = parsed(R"({"kind":"ConfigMap","data":{"h":"<b>&\u2028"},"l":[],"m":{},"n":[1,{"a":null}]})");
  REQUIRE(format_json_pretty(value, 4) == R"({
    "data": {
        "h": "\u003cb\u003e\u0026\u2028"
    },
    "kind": "ConfigMap",
    "l": [],
    "m": {},
    "n": [
        1,
        {
            "a": null
        }
    ]
})");
  REQUIRE(format_json_pretty(Value::list({}), 4) == "[]");
}

TEST_CASE("JSON round-trips any value") {
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    Value value = test::random_value(random);
    std::string text = format_json(value);
    REQUIRE(*parse_json(text) == value);
    REQUIRE(*parse_json(format_json_pretty(value, 2)) == value);
    REQUIRE(format_json(*parse_json(text)) == text);
  }
}

TEST_CASE("random bytes and broken JSON never crash the parser") {
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    std::string text = format_json(test::random_value(random));
    for (uint64_t n = random.below(3); n > 0 && !text.empty(); --n) {
      text[random.below(text.size())] = static_cast<char>(random.next() >> 32);
    }
    if (random.below(4) == 0) text.resize(random.below(text.size() + 1));
    auto value = parse_json(text);
    if (value.ok()) REQUIRE(*parse_json(format_json(*value)) == *value);
  }
}
