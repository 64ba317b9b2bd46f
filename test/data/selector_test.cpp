#include "data/selector.h"

#include <random>

#include <catch2/catch_test_macros.hpp>

namespace orch {
namespace {

std::string canonical(std::string_view text) {
  auto selector = LabelSelector::parse(text);
  return selector ? selector->format() : "error: " + selector.error().message();
}

bool matches(std::string_view text, const Value& labels) {
  return LabelSelector::parse(text)->matches(labels);
}

constexpr std::string_view kValueRule =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
    "'12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
constexpr std::string_view kNameRule =
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

TEST_CASE("label selectors are written sorted by key, values sorted") {
  const std::pair<const char*, const char*> kCases[] = {
      {"", ""}, {"  ", ""}, {"a", "a"}, {"!a", "!a"}, {"a=b", "a=b"}, {"a==b", "a=b"},
      {"a!=b", "a!=b"}, {" b = 1 ,\ta=2", "a=2,b=1"}, {"a in (c,b,c)", "a in (b,c)"},
      {"a notin (b)", "a notin (b)"}, {"a>1", "a>1"}, {"a<5", "a<5"}, {"a in ()", "a in ()"},
      {"a in (,)", "a in ()"}, {"x in (a,,b)", "x in (,a,b)"}, {"a=", "a="}, {"a=,b", "a=,b"},
      {"in", "in"}, {"in in (in,notin)", "in in (in,notin)"}, {"a=in", "a=in"}, {"x,a", "a,x"},
      {"app.kubernetes.io/name=x", "app.kubernetes.io/name=x"},
  };
  for (const auto& [text, expected] : kCases) {
    INFO(text);
    CHECK(canonical(text) == expected);
  }
}

TEST_CASE("what is no label selector is refused in Kubernetes' words") {
  // As kubectl 1.33 says of create pdb --selector=<left>.
  const std::string prefix = "unable to parse requirement: ";
  const std::string operators = ", expected: in, notin, =, ==, !=, gt, lt";
  const std::pair<std::string, std::string> kCases[] = {
      {"a in (b", prefix + "found '', expected: ',' or ')'"},
      {"a in b", prefix + "found 'b' expected: '('"},
      {"a in", prefix + "found '' expected: '('"},
      {"a b", prefix + "found 'b'" + operators},
      {"a!", prefix + "found '!'" + operators},
      {"foo bar=1", prefix + "found 'bar'" + operators},
      {",a", "found ',', expected: !, identifier, or 'end of string'"},
      {"=a", "found '=', expected: !, identifier, or 'end of string'"},
      {"(a)", "found '(', expected: !, identifier, or 'end of string'"},
      {"a,", "found '', expected: identifier after ','"},
      {"a,,b", "found ',', expected: identifier after ','"},
      {"!", prefix + "found '', expected: identifier"},
      {"!a=b", "found '=', expected: ',' or 'end of string'"},
      {"!a in (b)", "found 'in', expected: ',' or 'end of string'"},
      {"a=b c", "found 'c', expected: ',' or 'end of string'"},
      {"a=b!", "found '!', expected: ',' or 'end of string'"},
      {"a=b=c", "found '=', expected: ',' or 'end of string'"},
      {"a in (b))", "found ')', expected: ',' or 'end of string'"},
      {"a=(b)", prefix + "found '(', expected: identifier"},
      {"a in (b c)", prefix + "found 'c', expected: ',' or ')'"},
      {"a in (a=b)", prefix + "found '=', expected: ',' or ')'"},
      {"a in (=)", prefix + "found '=', expected: ',', ')' or identifier"},
      {"a in (", prefix + "found '', expected: ',', ')' or identifier"},
      {"a in (,=", prefix + "found '=', expected: ',', or identifier"},
      {"a in (,", prefix + "found '', expected: ',', or identifier"},
      {"a<x", prefix + "values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must "
                       "be an integer"},
      {"a=-b", prefix + "values[0][a]: Invalid value: \"-b\": " + std::string(kValueRule)},
      {"a in (-b,-c)", prefix + "[values[0][a]: Invalid value: \"-b\": " + std::string(kValueRule) +
                           ", values[1][a]: Invalid value: \"-c\": " + std::string(kValueRule) + "]"},
      {"-a", prefix + "<nil>: Invalid value: \"-a\": " + std::string(kNameRule)},
      {"a/=b", prefix + "<nil>: Invalid value: \"a/\": name part must be non-empty; " +
                   std::string(kNameRule)},
      {"/x=1", prefix + "<nil>: Invalid value: \"/x\": prefix part must be non-empty"},
      {"A_B/x=1", prefix + "<nil>: Invalid value: \"A_B/x\": prefix part a lowercase RFC 1123 "
                           "subdomain must consist of lower case alphanumeric characters, '-' or "
                           "'.', and must start and end with an alphanumeric character (e.g. "
                           "'example.com', regex used for validation is "
                           "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"},
  };
  for (const auto& [text, expected] : kCases) {
    INFO(text);
    CHECK(canonical(text) == "error: " + expected);
    CHECK(LabelSelector::parse(text).error().is(Code::bad_request));
  }
  std::string too_long(64, 'a');
  CHECK(canonical(too_long) == "error: " + prefix + "<nil>: Invalid value: \"" + too_long +
                                   "\": name part must be no more than 63 characters");
}

TEST_CASE("a label selector matches as in Kubernetes") {
  Value labels = Value::object({{"a", "b"}, {"n", "5"}, {"empty", ""}});
  CHECK(matches("", labels));
  CHECK(matches("a=b,n", labels));
  CHECK(!matches("a=b,absent", labels));
  CHECK(matches("a in (x,b)", labels));
  CHECK(matches("empty=", labels));
  CHECK(!matches("absent=", labels));
  CHECK(matches("!absent", labels));
  CHECK(matches("n>4,n<6", labels));
  CHECK(!matches("n>5", labels));
  CHECK(!matches("a>1", labels));
  CHECK(!matches("absent<1", labels));
}

TEST_CASE("notin and != match objects without the label") {
  CHECK(matches("a!=b", Value()));
  CHECK(matches("a notin (b)", Value::empty_object()));
  CHECK(!matches("a!=b", Value::object({{"a", "b"}})));
  CHECK(matches("a!=b", Value::object({{"a", "c"}})));
}

TEST_CASE("a LabelSelector object becomes requirements") {
  Value expression = Value::object({{"key", "tier"}, {"operator", "NotIn"},
                                    {"values", Value::list({"web", "db"})}});
  Value object = Value::object({
      {"matchLabels", Value::object({{"app", "x"}})},
      {"matchExpressions",
       Value::list({expression, Value::object({{"key", "b"}, {"operator", "Exists"}}),
                    Value::object({{"key", "c"}, {"operator", "DoesNotExist"}}),
                    Value::object({{"key", "d"}, {"operator", "In"}, {"values", Value::list({"1"})}})})},
  });
  CHECK(LabelSelector::from_object(object)->format() == "app=x,b,!c,d in (1),tier notin (db,web)");
}

TEST_CASE("no LabelSelector object selects nothing, an empty one everything") {
  auto nothing = *LabelSelector::from_object(Value());
  CHECK(nothing.selects_nothing());
  CHECK(!nothing.empty());
  CHECK(!nothing.matches(Value::empty_object()));
  auto everything = *LabelSelector::from_object(Value::empty_object());
  CHECK(everything.empty());
  CHECK(everything.matches(Value()));
}

TEST_CASE("a wrong LabelSelector object is refused") {
  auto with = [](Value expression) {
    return LabelSelector::from_object(
               Value::object({{"matchExpressions", Value::list({std::move(expression)})}}))
        .error()
        .message();
  };
  CHECK(with(Value::object({{"key", "a"}, {"operator", "Gt"}})) ==
        "\"Gt\" is not a valid label selector operator");
  CHECK(with(Value::object({{"key", "a"}})) == "\"\" is not a valid label selector operator");
  CHECK(with(Value::object({{"key", "a"}, {"operator", "In"}})) ==
        "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty");
}

TEST_CASE("a map of labels asks for all of them") {
  auto selector = LabelSelector::from_map(Value::object({{"b", "2"}, {"a", "1"}}));
  CHECK(selector.format() == "a=1,b=2");
  CHECK(selector.matches(Value::object({{"a", "1"}, {"b", "2"}, {"c", "3"}})));
  CHECK(!selector.matches(Value::object({{"a", "1"}})));
}

std::string random_selector(std::mt19937_64& random) {
  const char* kKeys[] = {"a", "b", "c.d/e", "in", "notin"};
  const char* kValues[] = {"", "x", "y-1", "in", "7", "12"};
  auto value = [&] { return std::string(kValues[random() % std::size(kValues)]); };
  std::string text;
  for (uint64_t n = random() % 4; n > 0; --n) {
    std::string key = kKeys[random() % std::size(kKeys)];
    if (!text.empty()) text += ',';
    switch (random() % 8) {
      case 0: text += key; break;
      case 1: text += "!" + key; break;
      case 2: text += key + "=" + value(); break;
      case 3: text += key + "!=" + value(); break;
      case 4: text += key + " in (" + value() + "," + value() + ")"; break;
      case 5: text += key + " notin (" + value() + "," + value() + "," + value() + ")"; break;
      case 6: text += key + ">7"; break;
      default: text += key + "<12"; break;
    }
  }
  return text;
}

TEST_CASE("random selectors survive being written and read, and match the same labels") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 2000; ++i) {
    std::string text = random_selector(random);
    INFO(text);
    auto first = LabelSelector::parse(text);
    REQUIRE(first);
    auto second = LabelSelector::parse(first->format());
    REQUIRE(second);
    REQUIRE(second->format() == first->format());
    for (int k = 0; k < 5; ++k) {
      ObjectBuilder labels;
      const char* kValues[] = {"", "x", "y-1", "in", "7", "12", "9"};
      for (const char* key : {"a", "b", "c.d/e", "in", "notin"}) {
        if (random() % 2) labels.set(key, kValues[random() % std::size(kValues)]);
      }
      Value value = std::move(labels).build();
      REQUIRE(first->matches(value) == second->matches(value));
    }
  }
}

TEST_CASE("field selectors compare fields as text, absent ones as empty") {
  Value pod = Value::object({{"metadata", Value::object({{"name", "web"}})},
                             {"spec", Value::object({{"nodeName", "n=1"}, {"hostNetwork", true}})},
                             {"status", Value::object({{"successful", 3}})}});
  auto match = [&](std::string_view text) { return FieldSelector::parse(text)->matches(pod); };
  CHECK(match(""));
  CHECK(match("metadata.name=web"));
  CHECK(match("metadata.name==web,spec.nodeName!=n2"));
  CHECK(match("spec.nodeName=n\\=1"));
  CHECK(match("status.phase="));
  CHECK(match("status.phase!=Running"));
  CHECK(!match("metadata.name=other"));
  CHECK(match("spec.hostNetwork=true"));
  CHECK(match("status.successful=3"));
  CHECK(match(",metadata.name=web,"));
}

TEST_CASE("a field selector tells the value that a field must have") {
  auto selector = *FieldSelector::parse("spec.nodeName=n1,metadata.name!=a\\,b\\\\c");
  CHECK(selector.exact("spec.nodeName") == "n1");
  CHECK(!selector.exact("metadata.name"));
  REQUIRE(selector.requirements().size() == 2);
  CHECK(selector.requirements()[0].field == "metadata.name");
  CHECK(selector.requirements()[0].value == "a,b\\c");
}

TEST_CASE("what is no field selector is refused in Kubernetes' words") {
  auto message = [](std::string_view text) { return FieldSelector::parse(text).error().message(); };
  CHECK(message("a=b,c") == "invalid selector: 'a=b,c'; can't understand 'c'");
  CHECK(message("a=b=c") == "invalid field selector: unescaped character in value: 61");
  CHECK(message("a=\\b") == "invalid field selector: invalid escape sequence: \\b");
  CHECK(message("a=b\\") == "invalid field selector: invalid escape sequence: \\");
}

}  // namespace
}  // namespace orch
