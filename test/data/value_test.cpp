#include "data/value.h"

#include <catch2/catch_test_macros.hpp>
#include <algorithm>

#include "data/json.h"
#include "support/random_value.h"

using namespace orch;

TEST_CASE("a value of the wrong kind reads as the fallback") {
  Value text("x");
  REQUIRE(text.as_int(7) == 7);
  REQUIRE(text.as_bool(true));
  REQUIRE(text["a"].is_null());
  REQUIRE(text.at(3).is_null());
  REQUIRE(text.members().empty());
  REQUIRE(Value(5).as_string("none") == "none");
  REQUIRE(Value().path({"a", "b"}).is_null());
  REQUIRE(Value(2.0).as_int() == 2);
  REQUIRE(Value(2.5).as_int(-1) == -1);
  REQUIRE(Value(1e300).as_int(-1) == -1);
  REQUIRE(Value(3).as_double() == 3.0);
}

TEST_CASE("strings of every length survive") {
  for (size_t size = 0; size < 40; ++size) {
    std::string text(size, 'q');
    Value value(text);
    Value copy = value;
    REQUIRE(value.is_string());
    REQUIRE(copy.as_string() == text);
    REQUIRE(copy == value);
  }
}

TEST_CASE("objects are sorted and keep the last of equal keys") {
  Value object = Value::object({{"b", 1}, {"a", 2}, {"b", 3}});
  REQUIRE(format_json(object) == R"({"a":2,"b":3})");
}

TEST_CASE("changing a value leaves the original alone and shares the rest") {
  Value original = Value::object({{"a", Value::object({{"x", 1}})}, {"b", Value::list({1, 2})}});
  Value changed = original.with_path({"b2", "c"}, Value(true)).with("b", "text");
  REQUIRE(format_json(original) == R"({"a":{"x":1},"b":[1,2]})");
  REQUIRE(format_json(changed) == R"({"a":{"x":1},"b":"text","b2":{"c":true}})");
  REQUIRE(changed["a"].same(original["a"]));
  REQUIRE(changed.without("b2").with("b", original["b"]) == original);
  REQUIRE(format_json(original.with_path({"a", "x"}, std::nullopt)) == R"({"a":{},"b":[1,2]})");
  REQUIRE(original.with_path({"no", "way"}, std::nullopt).same(original));
}

TEST_CASE("assigning a part of a value to itself is safe") {
  Value value = Value::list({Value::list({"a long string that is on the heap"})});
  value = value.at(0);
  value = value.at(0);
  REQUIRE(value.as_string() == "a long string that is on the heap");
}

TEST_CASE("1 and 1.0 differ, as in Go") { REQUIRE(!(Value(1) == Value(1.0))); }

TEST_CASE("compare is a total order and agrees with equality") {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    std::vector<Value> values;
    for (int i = 0; i < 6; ++i) values.push_back(test::random_value(random));
    values.push_back(*parse_json(format_json(values[0])));
    for (const Value& a : values) {
      for (const Value& b : values) {
        REQUIRE(Value::compare(a, b) == -Value::compare(b, a));
        REQUIRE((Value::compare(a, b) == 0) == (format_json(a) == format_json(b)));
        for (const Value& c : values) {
          if (Value::compare(a, b) <= 0 && Value::compare(b, c) <= 0) {
            REQUIRE(Value::compare(a, c) <= 0);
          }
        }
      }
    }
    REQUIRE(values[0] == values.back());
  }
}

TEST_CASE("an object builder gives the object its members say") {
  ObjectBuilder builder(Value::object({{"keep", 1}, {"drop", 2}}));
  builder.remove("drop").set_if("empty", "").set_if("none", nullptr).set_if("list", Value::list({}));
  builder.set_if("text", "x").set("keep", 5).set("zero", 0);
  REQUIRE(format_json(std::move(builder).build()) == R"({"keep":5,"text":"x","zero":0})");
}

TEST_CASE("sizes and depths add up") {
  REQUIRE(Value(1).depth() == 0);
  REQUIRE(Value(1).heap_bytes() == 0);
  Value nested = Value::list({Value::object({{"a", Value::list({})}})});
  REQUIRE(nested.depth() == 3);
  REQUIRE(nested.heap_bytes() > 0);
}
