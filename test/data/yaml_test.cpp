#include "data/yaml.h"

#include <catch2/catch_test_macros.hpp>

#include "support/golden.h"
#include "support/random_value.h"

using namespace orch;

namespace {

Value parsed(std::string_view text) {
  INFO(text);
  auto value = parse_yaml_document(text);
  if (!value.ok()) FAIL_CHECK(value.error().message());
  return value.ok() ? *value : Value();
}

std::string error_of(std::string_view text) {
  INFO(text);
  auto value = parse_yaml_document(text);
  REQUIRE(!value.ok());
  REQUIRE(value.error().is(Code::parse));
  return value.error().message();
}

std::string yaml_nested(size_t levels) {
  std::string text;
  for (size_t i = 0; i < levels; ++i) text += "- ";
  return text + "x\n";
}

}  // namespace

TEST_CASE("YAML is written byte for byte as kubectl writes it") {
  test::check_golden("data/golden/yaml_format.txt", [](const test::GoldenCase& item) {
    auto value = parse_json(item.input);
    REQUIRE(value.ok());
    return format_yaml(*value);
  });
}

TEST_CASE("YAML reads as kubectl reads it") {
  test::check_golden("data/golden/yaml_read.txt", [](const test::GoldenCase& item) {
    auto value = parse_yaml_document(item.input);
    return value.ok() ? format_json(*value) : "error";
  });
}

TEST_CASE("text that YAML 1.1 breaks lines at is written as go-yaml does") {
  // Not in the golden file: its lines would break there too.
  auto written = [](std::string_view text) { return format_yaml(Value::object({{"k", text}})); };
  REQUIRE(written("\u2028") == "k: '\u2028'\n");
  REQUIRE(written("a\u2028b") == "k: 'a\u2028  b'\n");
  REQUIRE(written("\u0085") == "k: \"\\N\"\n");
  REQUIRE(written("\r") == "k: \"\\r\"\n");
  REQUIRE(written("a\r\nb") == "k: \"a\\r\\nb\"\n");
}

TEST_CASE("written YAML reads back as the same value") {
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    Value value = test::random_value(random);
    std::string text = format_yaml(value);
    // As in go-yaml, a separator of lines or paragraphs comes back with the indentation after it.
    if (text.find("\u2028") != std::string::npos) continue;
    INFO(text);
    REQUIRE(parsed(text) == value);
  }
}

TEST_CASE("a stream holds several documents; empty ones are left out") {
  auto documents = parse_yaml("# nothing\n---\n---\na: 1\n---\n# nothing\n---\n- b\n...\n---\nc\n");
  REQUIRE(documents.ok());
  REQUIRE(documents->size() == 3);
  REQUIRE(format_json((*documents)[0].value) == R"({"a":1})");
  REQUIRE(format_json((*documents)[1].value) == R"(["b"])");
  REQUIRE(format_json((*documents)[2].value) == R"("c")");
  REQUIRE((*documents)[0].line >= 3);
  REQUIRE((*documents)[0].line <= 4);
  REQUIRE(parse_yaml("")->empty());
  REQUIRE(parsed("# comment\n").is_null());
  REQUIRE(error_of("a: 1\n---\nb: 2\n").find("second document") != std::string::npos);
}

TEST_CASE("JSON is YAML, deep nesting and tabs included") {
  REQUIRE(format_json(parsed("{\n\t\"a\": [1, 2.5, \"x\"]\n}\n")) == R"({"a":[1,2.5,"x"]})");
  std::string deep = std::string(900, '[') + std::string(900, ']');
  REQUIRE(format_json(parsed(deep)) == deep);
}

TEST_CASE("a YAML error names the line") {
  REQUIRE(error_of("a: 1\nb: [1\nc: 2\n").starts_with("line "));
  REQUIRE(error_of("a: 1\nb\n") == "line 2: could not find expected ':'");
  REQUIRE(error_of("a: 1\n\n? [x]\n: 2\n").starts_with("line 3: "));
}

TEST_CASE("a mapping in braces, an explicit key and a folded key need no colon") {
  REQUIRE(format_json(parsed("a: {b, c: 1}\n")) == R"({"a":{"b":null,"c":1}})");
  REQUIRE(format_json(parsed("? a\n? b\n: 1\n")) == R"({"a":null,"b":1})");
  REQUIRE(format_json(parsed("a   : 1\nb c:\n  d e: f\n")) == R"({"a":1,"b c":{"d e":"f"}})");
}

TEST_CASE("duplicate keys of YAML are named by their path") {
  std::vector<std::string> duplicates;
  JsonOptions options;
  options.duplicates = &duplicates;
  auto value = parse_yaml_document(
      "spec:\n  replicas: 1\n  list:\n  - a: 1\n  - b: 1\n    b: 2\n  replicas: 3\n", options);
  REQUIRE(value.ok());
  REQUIRE(duplicates == std::vector<std::string>{R"(duplicate field "spec.list[1].b")",
                                                 R"(duplicate field "spec.replicas")"});
  REQUIRE((*value)["spec"]["replicas"].as_int() == 3);
  duplicates.clear();
  REQUIRE(parse_yaml_document(R"({"a":1,"a":2})", options).ok());
  REQUIRE(duplicates == std::vector<std::string>{R"(duplicate field "a")"});
}

TEST_CASE("merge keys: what a mapping says itself wins, then the first of several") {
  REQUIRE(format_json(parsed("b: &b {x: 1, w: 2}\nc: &c {w: 3, z: 4}\nd:\n  <<: [*b, *c]\n  x: 9\n")["d"]) ==
          R"({"w":2,"x":9,"z":4})");
  REQUIRE(format_json(parsed("b: &b {x: 1}\nd:\n  x: 2\n  <<: *b\n")["d"]) == R"({"x":2})");
  REQUIRE(format_json(parsed("\"<<\": 1\n")) == R"({"<<":1})");
}

TEST_CASE("aliases unfold only so far") {
  std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    std::string previous = "*a" + std::to_string(i - 1);
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 9; ++j) laughs += previous + ", ";
    laughs += previous + "]\n";
  }
  REQUIRE(error_of(laughs).find("unfold") != std::string::npos);
  // Few values, much text.
  std::string text = "a: &a \"" + std::string(1 << 20, 'x') + "\"\nb: [";
  for (int i = 0; i < 1000; ++i) text += "*a, ";
  REQUIRE(error_of(text + "*a]\n").find("unfold") != std::string::npos);
  REQUIRE(!parse_yaml_document("a: &a [*a]\n").ok());
  REQUIRE(!parse_yaml_document("a: *nowhere\n").ok());
}

TEST_CASE("nesting of YAML is bounded") {
  REQUIRE(parse_yaml_document(yaml_nested(200)).ok());
  for (const std::string& deep :
       {yaml_nested(5000), std::string(5000, '['), std::string(100'000, '{'),
        std::string(3000, '[') + "a: b" + std::string(3000, ']'), yaml_nested(100'000)}) {
    REQUIRE(!parse_yaml_document(deep).ok());
  }
}

TEST_CASE("stray punctuation ends the parse") {
  for (std::string_view bad : {",", "]", "}", "a: 1\n]\n", "- x\n,\n", ", a", "---\n,"}) {
    INFO(bad);
    REQUIRE(!parse_yaml(bad).ok());
  }
}

TEST_CASE("infinities and NaN are refused, for JSON has none") {
  for (std::string_view bad : {".inf", "-.Inf", "+.INF", ".nan", "a: .NaN"}) error_of(bad);
  REQUIRE(parsed("'.inf'") == Value(".inf"));
  REQUIRE(parsed("1e400") == Value("1e400"));
}

TEST_CASE("a quote that is never closed is an error, not a very long string") {
  for (std::string_view bad : {"a: \"x\nb: c\n", "a: 'x\nb: c\n", "a: 'it''s\n", "a: \"x\\\"\n", "- &x \"a\n",
                               "a: !!str\n  # note\n  'b\n", "'a: b\n", "a: 'b'\nc: 'd\n"}) {
    INFO(bad);
    REQUIRE(!parse_yaml(bad).ok());
  }
  for (std::string_view good : {"a: \"x\"", "a: 'it''s'", "a: ''", "a: \"\\\"\"", "a: !!str 'b'", "'a': \"b\\\\\"",
                                "a: &x 'b' # it's\n", "- 'a\n\n  b'\n"}) {
    INFO(good);
    REQUIRE(parse_yaml(good).ok());
  }
}

TEST_CASE("YAML text that is not UTF-8, or holds control characters, is refused") {
  error_of("a: \xff\n");
  error_of("a: \xc3\n");
  error_of("a: \x01\n");
  error_of("a: \x7f\n");
}

TEST_CASE("large mappings with duplicates asked for take no quadratic time") {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "key" + std::to_string(i) + ": 1\n";
  std::vector<std::string> duplicates;
  JsonOptions options;
  options.duplicates = &duplicates;
  REQUIRE(parse_yaml_document(text, options)->size() == 20'000);
  REQUIRE(duplicates.empty());
}

TEST_CASE("broken YAML never crashes or hangs the parser") {
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    std::string text = format_yaml(test::random_value(random));
    for (uint64_t n = random.below(4); n > 0; --n) {
      std::string piece = test::random_text(random);
      text.insert(static_cast<size_t>(random.below(text.size() + 1)), piece);
    }
    if (random.below(4) == 0) text.resize(static_cast<size_t>(random.below(text.size() + 1)));
    auto documents = parse_yaml(text);
    if (!documents.ok()) continue;
    for (const YamlDocument& document : *documents) REQUIRE(parse_json(format_json(document.value)).ok());
  }
}
