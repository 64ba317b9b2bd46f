#include <catch2/catch_test_macros.hpp>

#include "base/text.h"
#include "data/json.h"
#include "golden_lines.h"
#include "schema/engine.h"

using namespace orch;
using namespace orch::schema;

namespace {

const Registry& registry() {
  static const auto built = Registry::builtin().value();
  return *built;
}

Value json(std::string_view text) { return parse_json(text).value(); }

Result<Value> merge_pod(std::string_view object, std::string_view patch) {
  return apply_strategic_merge(*registry().find_kind("", "v1", "Pod")->type, json(object),
                               json(patch));
}

std::string merged_pod(std::string_view object, std::string_view patch) {
  auto merged = merge_pod(object, patch);
  return merged.ok() ? format_json(*merged) : merged.error().message();
}

}  // namespace

TEST_CASE("a strategic merge patch gives what Kubernetes' own package gives") {
  size_t applied = 0, refused = 0;
  for (const Value& line : golden_lines("strategic_merge.jsonl", "ORCH_MERGE_CASES")) {
    std::string_view api_version = line["apiVersion"].as_string();
    auto parts = split_once(api_version, '/');
    const Kind* kind = registry().find_kind(
        parts ? parts->first : "", parts ? parts->second : api_version, line["kind"].as_string());
    REQUIRE(kind);
    auto merged = apply_strategic_merge(*kind->type, line["original"], line["patch"]);
    INFO(format_json(line["original"]) << "\n" << format_json(line["patch"]));
    if (line.has("error")) {
      ++refused;
      REQUIRE_FALSE(merged.ok());
      CHECK(merged.error().message() == line["error"].as_string());
      CHECK(merged.error().is(Code::bad_request));
    } else {
      ++applied;
      if (!merged.ok()) FAIL(merged.error().message());
      CHECK(format_json(*merged) == format_json(line["expected"]));
    }
  }
  CHECK(applied > 30);
  CHECK(refused > 3);
}

TEST_CASE("items of a merged list are found by their key and merged in depth") {
  CHECK(
      merged_pod(
          R"({"spec":{"containers":[{"name":"a","image":"1","env":[{"name":"X","value":"1"}]}]}})",
          R"({"spec":{"containers":[{"name":"a","env":[{"name":"Y","value":"2"}]}]}})") ==
      R"({"spec":{"containers":[{"env":[{"name":"Y","value":"2"},{"name":"X","value":"1"}],"image":"1","name":"a"}]}})");
}

TEST_CASE("an item without its key is refused in the words clients know") {
  CHECK(merged_pod(R"({"spec":{"containers":[{"name":"a"}]}})",
                   R"({"spec":{"containers":[{"image":"x"}]}})") ==
        "map: map[image:x] does not contain declared merge key: name");
}

TEST_CASE("retained keys clear the other members of a union") {
  CHECK(
      merged_pod(
          R"({"spec":{"volumes":[{"name":"v","emptyDir":{}}]}})",
          R"({"spec":{"volumes":[{"name":"v","$retainKeys":["name","hostPath"],"hostPath":{"path":"/"}}]}})") ==
      R"({"spec":{"volumes":[{"hostPath":{"path":"/"},"name":"v"}]}})");
}

TEST_CASE("scalars leave a merged list by a directive") {
  CHECK(merged_pod(R"({"metadata":{"finalizers":["a","b","c"]}})",
                   R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["b"]}})") ==
        R"({"metadata":{"finalizers":["a","c"]}})");
}

TEST_CASE("null removes a field, and nulls inside new objects vanish") {
  CHECK(merged_pod(R"({"metadata":{"labels":{"a":"1","b":"2"}}})",
                   R"({"metadata":{"labels":{"a":null},"annotations":{"x":null,"y":"1"}}})") ==
        R"({"metadata":{"annotations":{"y":"1"},"labels":{"b":"2"}}})");
}

TEST_CASE("a selector with the strategy replace is replaced whole") {
  const Kind* kind = registry().find_kind("policy", "v1", "PodDisruptionBudget");
  auto merged =
      apply_strategic_merge(*kind->type, json(R"({"spec":{"selector":{"matchLabels":{"a":"1"}}}})"),
                            json(R"({"spec":{"selector":{"matchLabels":{"b":"2"}}}})"));
  REQUIRE(merged.ok());
  CHECK(format_json(*merged) == R"({"spec":{"selector":{"matchLabels":{"b":"2"}}}})");
}

TEST_CASE("a patch that is no object is refused") {
  CHECK(merged_pod("{}", "[]") ==
        "expected a map[string]interface {}, but received a []interface {}");
}
