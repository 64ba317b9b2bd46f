#include "data/patch.h"

#include <catch2/catch_test_macros.hpp>

#include "data/json.h"
#include "support/golden.h"
#include "support/random_value.h"

using namespace orch;

namespace {

Value json(std::string_view text) {
  INFO(text);
  auto value = parse_json(text);
  REQUIRE(value.ok());
  return *value;
}

std::string patched(std::string_view target, std::string_view patch) {
  auto result = apply_json_patch(json(target), json(patch));
  if (result.ok()) return format_json(*result);
  return std::string(code_info(result.error().code()).name) + ": " + result.error().message();
}

// The operations that turn one value into the other, by way of the simplest diff.
void diff(const Value& from, const Value& to, const std::string& path, std::vector<Value>& out) {
  if (from == to) return;
  if (!from.is_object() || !to.is_object()) {
    out.push_back(Value::object({{"op", "replace"}, {"path", path}, {"value", to}}));
    return;
  }
  auto step = [&](std::string_view name) {
    std::string escaped = path + "/";
    for (char c : name) escaped += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    return escaped;
  };
  for (const Member& member : from.members()) {
    const Value* other = to.find(member.name());
    if (other) {
      diff(member.value, *other, step(member.name()), out);
    } else {
      out.push_back(Value::object({{"op", "remove"}, {"path", step(member.name())}}));
    }
  }
  for (const Member& member : to.members()) {
    if (from.has(member.name())) continue;
    out.push_back(
        Value::object({{"op", "add"}, {"path", step(member.name())}, {"value", member.value}}));
  }
}

// A merge patch cannot set a null.
bool holds_null(const Value& value) {
  if (value.is_null()) return true;
  for (const Member& member : value.members()) {
    if (holds_null(member.value)) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("JSON patches give what RFC 6902 says") {
  // Input: the target, then the patch, each on a line.
  test::check_golden("data/golden/json_patch.txt", [](const test::GoldenCase& item) {
    size_t end = item.input.find('\n');
    return patched(item.input.substr(0, end), item.input.substr(end + 1));
  });
}

TEST_CASE("merge patches give what RFC 7396 says") {
  test::check_golden("data/golden/merge_patch.txt", [](const test::GoldenCase& item) {
    size_t end = item.input.find('\n');
    return format_json(apply_merge_patch(json(item.input.substr(0, end)),
                                         json(item.input.substr(end + 1))));
  });
}

TEST_CASE("a JSON patch changes nothing but its target's copy") {
  Value target = json(R"({"a":{"b":[1,2]},"c":{"d":1}})");
  Value result = *apply_json_patch(target, json(R"([{"op":"remove","path":"/a/b/0"}])"));
  REQUIRE(format_json(target) == R"({"a":{"b":[1,2]},"c":{"d":1}})");
  REQUIRE(result["c"].same(target["c"]));
}

TEST_CASE("a JSON patch made of a difference bridges it") {
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    Value from = test::random_object(random);
    Value to = test::random_change(random, from);
    std::vector<Value> operations;
    diff(from, to, "", operations);
    auto result = apply_json_patch(from, Value::list(std::move(operations)));
    REQUIRE(result.ok());
    REQUIRE(*result == to);
  }
}

TEST_CASE("a merge patch made of two values turns the one into the other") {
  test::ValueShape shape;
  shape.nulls = false;
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    Value from = test::random_object(random, shape);
    Value to = test::random_change(random, from, shape);
    REQUIRE(!holds_null(to));
    Value patch = make_merge_patch(from, to);
    REQUIRE(apply_merge_patch(from, patch) == to);
    if (to.is_object()) REQUIRE(apply_merge_patch(to, patch) == to);
    if (from == to) REQUIRE(patch.empty());
  }
}

TEST_CASE("patches that only grow are stopped") {
  std::string many = "[";
  for (int i = 0; i < 10'000; ++i) many += R"({"op":"test","path":"/a","value":1},)";
  many.back() = ']';
  REQUIRE(apply_json_patch(json(R"({"a":1})"), json(many)).ok());
  many.back() = ',';
  many += R"({"op":"test","path":"/a","value":1}])";
  auto refused = apply_json_patch(json(R"({"a":1})"), json(many));
  REQUIRE(refused.error().is(Code::too_large));

  // Doubles with every copy.
  std::string copies = "[";
  for (int i = 0; i < 100; ++i) copies += R"({"op":"copy","from":"/a","path":"/a/-"},)";
  copies.back() = ']';
  REQUIRE(!apply_json_patch(json(R"({"a":[1]})"), json(copies)).ok());
}

TEST_CASE("a JSON patch cannot nest deeper than a parsed text") {
  // 600 levels below the innermost of 600 levels.
  std::string deep, path;
  for (int i = 0; i < 600; ++i) {
    deep += R"({"a":)";
    path += "/a";
  }
  deep += "{}" + std::string(600, '}');
  Value target = json(deep);
  Value once = Value::list({Value::object({{"op", "add"}, {"path", path + "/a"}, {"value", target}})});
  auto result = apply_json_patch(target, once);
  REQUIRE(result.error().is(Code::invalid));
}
