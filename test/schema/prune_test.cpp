#include <catch2/catch_test_macros.hpp>

#include "base/text.h"
#include "data/json.h"
#include "golden_lines.h"
#include "random_object.h"
#include "schema/engine.h"
#include "schema/hooks.h"
#include "schema/shape.h"

using namespace orch;
using namespace orch::schema;

namespace {

const Registry& registry() {
  static const auto built = Registry::builtin().value();
  return *built;
}

const Type* type_of(const Value& object) {
  std::string_view api_version = object["apiVersion"].as_string();
  auto parts = split_once(api_version, '/');
  const Kind* kind = registry().find_kind(parts ? parts->first : "", parts ? parts->second : api_version,
                                          object["kind"].as_string());
  return kind ? kind->type : nullptr;
}

Value json(std::string_view text) { return parse_json(text).value(); }

std::string pruned(const Type& type, std::string_view text) {
  auto result = prune(type, json(text));
  return result.ok() ? format_json(result->object) : result.error().message();
}

// Go has names for many of its string types ("v1.Protocol"), the schema has not: the type is cut
// off where ours is a text.
std::string without_name_of_text_type(std::string_view error) {
  size_t at = error.find(" of type ");
  if (at == error.npos) return std::string(error);
  std::string_view type = error.substr(at + 9);
  for (std::string_view exact : {"int32", "int64", "bool", "float64", "v1.ResourceList", "[]uint8"}) {
    if (type == exact) return std::string(error);
  }
  return std::string(error.substr(0, at));
}

// One type with a field of each row of docs/schema.md's table.
const Registry& table() {
  static const auto built = Registry::build({{"t.schema",
                                              "package k8s.io.api.t.v1\n"
                                              "type Inner\n"
                                              "  1 count: int32\n"
                                              "type T\n"
                                              "  1 a_pointer?: *int32\n"
                                              "  2 b_number?: int32\n"
                                              "  3 c_text?: string\n"
                                              "  4 d_list?: string[]\n"
                                              "  5 e_map?: map[string]\n"
                                              "  6 f_inner?: Inner\n"
                                              "  7 g_time?: time\n"
                                              "  8 h_quantity?: quantity\n"
                                              "  9 i_port?: intorstring\n"
                                              "  10 j_number: int32\n"
                                              "  11 k_text: string\n"
                                              "  12 l_flag: bool\n"
                                              "  13 m_list: Inner[]\n"
                                              "  14 n_map: map[string]\n"
                                              "  15 o_pointer: *Inner\n"
                                              "  16 p_time: time\n"
                                              "  17 q_zero?: Inner omitzero\n"}})
                                .value();
  return *built;
}
const Type& row_type() { return *table().find_type("k8s.io.api.t.v1", "T"); }

}  // namespace

TEST_CASE("what Kubernetes wrote is pruned into itself, sharing all of it") {
  size_t count = 0;
  for (const Value& line : golden_lines("protobuf.jsonl", "ORCH_PROTOBUF_CASES")) {
    const Value& object = line["object"];
    const Type* type = type_of(object);
    if (!type) continue;
    INFO(format_json(object));
    auto result = prune(*type, object);
    if (!result.ok()) FAIL(result.error().message());
    CHECK(result->unknown.empty());
    CHECK(format_json(result->object) == format_json(object));
    CHECK(result->object.same(object));
    ++count;
  }
  CHECK(count > 30);
}

TEST_CASE("a broken object is pruned or refused as Kubernetes does it") {
  size_t refused = 0, kept = 0;
  for (const Value& line : golden_lines("prune.jsonl", "ORCH_PRUNE_CASES")) {
    const Value& object = line["object"];
    const Type* type = type_of(object);
    if (!type) continue;
    INFO(format_json(object));
    auto result = prune(*type, object);
    if (line.has("error")) {
      CHECK(without_name_of_text_type(result.ok() ? "no error" : result.error().message()) ==
            without_name_of_text_type(line["error"].as_string()));
      ++refused;
      continue;
    }
    if (!result.ok()) {
      CHECK(result.error().message() == "no error");
      continue;
    }
    CHECK(format_json(result->object) == format_json(line["expected"]));
    std::vector<std::string> unknown;
    for (const Value& each : line["unknown"].items()) unknown.emplace_back(each.as_string());
    CHECK(result->unknown == unknown);
    ++kept;
  }
  CHECK(refused > 10);
  CHECK(kept > 20);
}

TEST_CASE("an absent field is written as Go writes its zero value") {
  CHECK(pruned(row_type(), "{}") ==
        R"({"f_inner":{"count":0},"g_time":null,"h_quantity":"0","i_port":0,"j_number":0,"k_text":"",)"
        R"("l_flag":false,"m_list":null,"n_map":null,"o_pointer":null,"p_time":null})");
}

TEST_CASE("an explicit zero value is dropped where Go would not write it") {
  CHECK(pruned(row_type(),
               R"({"a_pointer":0,"b_number":0,"c_text":"","d_list":[],"e_map":{},"f_inner":{},)"
               R"("m_list":[],"n_map":{},"o_pointer":{},"q_zero":null})") ==
        R"({"a_pointer":0,"f_inner":{"count":0},"g_time":null,"h_quantity":"0","i_port":0,)"
        R"("j_number":0,"k_text":"","l_flag":false,"m_list":[],"n_map":{},"o_pointer":{"count":0},)"
        R"("p_time":null})");
}

TEST_CASE("null is as good as absent") {
  CHECK(pruned(row_type(),
               R"({"a_pointer":null,"c_text":null,"f_inner":null,"j_number":null,"m_list":[null],)"
               R"("n_map":{"k":null}})") ==
        R"({"f_inner":{"count":0},"g_time":null,"h_quantity":"0","i_port":0,"j_number":0,"k_text":"",)"
        R"("l_flag":false,"m_list":[{"count":0}],"n_map":{"k":""},"o_pointer":null,"p_time":null})");
}

TEST_CASE("quantities and times become canonical") {
  auto result = prune(row_type(), json(R"({"h_quantity":"1024Mi","p_time":"2026-01-02T03:04:05.5+01:00"})"));
  REQUIRE(result.ok());
  CHECK(result->object["h_quantity"] == "1Gi");
  CHECK(result->object["p_time"] == "2026-01-02T02:04:05Z");
  CHECK(prune(row_type(), json(R"({"h_quantity":2})"))->object["h_quantity"] == "2");
  CHECK(prune(row_type(), json(R"({"h_quantity":0.5})"))->object["h_quantity"] == "500m");
}

TEST_CASE("unknown fields are dropped and named with their path") {
  const Type& deployment = *registry().find_kind("apps", "v1", "Deployment")->type;
  auto result = prune(deployment, json(R"({"apiVersion":"apps/v1","kind":"Deployment","color":1,
      "spec":{"replica":1,"template":{"spec":{"containers":[{"name":"a"},{"name":"b","img":"x"}]}}}})"));
  REQUIRE(result.ok());
  CHECK(result->unknown == std::vector<std::string>{"unknown field \"color\"", "unknown field \"spec.replica\"",
                                                    "unknown field \"spec.template.spec.containers[1].img\""});
  CHECK_FALSE(result->object.has("color"));
  CHECK_FALSE(result->object["spec"].has("replica"));
  CHECK(result->object["kind"] == "Deployment");
}

TEST_CASE("a value of the wrong type is refused in the words of Kubernetes' decoder") {
  const Type& deployment = *registry().find_kind("apps", "v1", "Deployment")->type;
  auto error = [&](std::string_view text) { return pruned(deployment, text); };
  CHECK(error(R"({"spec":{"replicas":"two"}})") ==
        "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32");
  CHECK(error(R"({"spec":{"replicas":1.5}})") ==
        "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32");
  CHECK(error(R"({"spec":{"replicas":3000000000}})") ==
        "json: cannot unmarshal number 3000000000 into Go struct field DeploymentSpec.spec.replicas of "
        "type int32");
  CHECK(error(R"({"spec":[]})") ==
        "json: cannot unmarshal array into Go struct field Deployment.spec of type v1.DeploymentSpec");
  CHECK(error(R"({"metadata":{"labels":{"a":1}}})") ==
        "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string");
  CHECK(error(R"({"spec":{"template":{"spec":{"containers":{"name":"a"}}}}})") ==
        "json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type "
        "[]v1.Container");
  CHECK(error(R"({"spec":{"template":{"spec":{"containers":["a"]}}}})") ==
        "json: cannot unmarshal string into Go struct field PodSpec.spec.template.spec.containers of type "
        "v1.Container");
  CHECK(error(R"([])") == "json: cannot unmarshal array into Go value of type v1.Deployment");
  CHECK(error(R"({"kind":1})") ==
        "json: cannot unmarshal number into Go struct field Deployment.kind of type string");
}

TEST_CASE("pruning is idempotent, and stable under defaulting, for objects of every kind") {
  Hooks hooks = Hooks::builtin();
  for (const auto& group_version : registry().group_versions()) {
    for (const Kind* kind : group_version.kinds) {
      for (uint64_t seed = 1; seed <= 20; ++seed) {
        INFO(kind->api_version() << " " << kind->kind << " seed " << seed);
        Value object = RandomObject(seed).object(*kind->type);
        INFO(format_json(object));
        auto once = prune(*kind->type, object);
        if (!once.ok()) FAIL(once.error().message());
        CHECK(once->unknown.empty());
        auto twice = prune(*kind->type, once->object);
        REQUIRE(twice.ok());
        CHECK(twice->object.same(once->object));

        Value defaulted = apply_defaults(*kind->type, once->object, hooks);
        INFO(format_json(defaulted));
        CHECK(apply_defaults(*kind->type, defaulted, hooks).same(defaulted));
        auto again = prune(*kind->type, defaulted);
        if (!again.ok()) FAIL(again.error().message());
        CHECK(format_json(again->object) == format_json(defaulted));
      }
    }
  }
}
