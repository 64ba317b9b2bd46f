#include "schema/make_strategic_merge.h"

#include <algorithm>

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

const Type& type_of(std::string_view group, std::string_view version, std::string_view kind) {
  return *registry().find_kind(group, version, kind)->type;
}

Value json(std::string_view text) { return parse_json(text).value(); }

std::string pod_patch(std::string_view original, std::string_view modified, std::string_view current) {
  auto patch = make_three_way_merge(type_of("", "v1", "Pod"), json(original), json(modified), json(current));
  return patch.ok() ? format_json(*patch) : patch.error().message();
}

// Lists of a patch whose order means nothing, in one order.
Value sorted(const Value& value, bool ordered) {
  if (value.is_object()) {
    ObjectBuilder built;
    for (const Member& member : value.members()) {
      built.set(member.name(), sorted(member.value, member.name().starts_with("$setElementOrder/")));
    }
    return std::move(built).build();
  }
  if (!value.is_list()) return value;
  std::vector<Value> items;
  for (const Value& item : value.items()) items.push_back(sorted(item, false));
  if (!ordered) {
    std::sort(items.begin(), items.end(),
              [](const Value& a, const Value& b) { return Value::compare(a, b) < 0; });
  }
  return Value::list(std::move(items));
}

// Kubernetes' package compares scalar lists after sorting one of the two: it sends an order for lists
// that are equal and not sorted, and none for the same items in another order. There we differ.
Value without_needless_order(const Value& patch, const Value& line) {
  constexpr std::string_view kOrder = "$setElementOrder/finalizers";
  const Value current = sorted(line["current"]["metadata"]["finalizers"], false);
  if (!(current == sorted(line["modified"]["metadata"]["finalizers"], false)) || !patch["metadata"].has(kOrder) ||
      patch["metadata"].has("$deleteFromPrimitiveList/finalizers")) {
    return patch;
  }
  Value metadata = patch["metadata"].without(kOrder);
  return metadata.empty() ? patch.without("metadata") : patch.with("metadata", metadata);
}

}  // namespace

TEST_CASE("patches are the ones Kubernetes' own package makes") {
  size_t compared = 0;
  for (const Value& line : golden_lines("make_strategic_merge.jsonl", "ORCH_MAKE_MERGE_CASES")) {
    auto parts = split_once(line["apiVersion"].as_string(), '/');
    const Type& type = type_of(parts ? parts->first : "", parts ? parts->second : "v1",
                               line["kind"].as_string());
    auto patch = make_three_way_merge(type, line["original"], line["modified"], line["current"]);
    INFO(format_json(line));
    if (!patch.ok()) FAIL(patch.error().message());
    CHECK(format_json(sorted(without_needless_order(*patch, line), false)) == format_json(sorted(without_needless_order(line["threeWay"], line), false)));
    auto two_way = make_two_way_merge(type, line["current"], line["modified"]);
    if (!two_way.ok()) FAIL(two_way.error().message());
    CHECK(format_json(sorted(without_needless_order(*two_way, line), false)) == format_json(sorted(without_needless_order(line["twoWay"], line), false)));
    ++compared;
  }
  CHECK(compared > 30);
}

TEST_CASE("what others added stays, what was applied before and is gone is deleted") {
  CHECK(pod_patch(R"({"metadata":{"labels":{"a":"1","b":"2"}}})", R"({"metadata":{"labels":{"a":"1"}}})",
                  R"({"metadata":{"labels":{"a":"1","b":"2","theirs":"3"}}})") ==
        R"({"metadata":{"labels":{"b":null}}})");
}

TEST_CASE("an object that is as it should be needs no patch") {
  const char* pod = R"({"spec":{"containers":[{"name":"a","image":"1"}]}})";
  CHECK(pod_patch(pod, pod, R"({"spec":{"containers":[{"name":"a","image":"1","imagePullPolicy":"Always"}],
                                "restartPolicy":"Always"},"status":{"phase":"Running"}})") == "{}");
}

TEST_CASE("a list item is changed by its merge key and the order is told") {
  CHECK(pod_patch(R"({"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"1"}]}})",
                  R"({"spec":{"containers":[{"name":"a","image":"2"}]}})",
                  R"({"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"1"}]}})") ==
        R"({"spec":{"$setElementOrder/containers":[{"name":"a"}],)"
        R"("containers":[{"image":"2","name":"a"},{"$patch":"delete","name":"b"}]}})");
}

TEST_CASE("a list item without its merge key is an error that shows it") {
  CHECK(pod_patch("{}", R"({"spec":{"containers":[{"image":"x"}]}})",
                  R"({"spec":{"containers":[{"name":"a"}]}})") ==
        R"(map: {"image":"x"} does not contain declared merge key: name)");
}
