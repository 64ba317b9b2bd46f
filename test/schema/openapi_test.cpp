#include "schema/openapi.h"

#include <catch2/catch_test_macros.hpp>

#include "base/text.h"
#include "data/json.h"
#include "schema/openapi_v2.h"
#include "schema/openapi_v3.h"

using namespace orch;
using namespace orch::schema;

namespace {

const Registry& registry() {
  static const auto built = Registry::builtin().value();
  return *built;
}

Value json(std::string_view text) { return parse_json(text).value(); }

OpenApiInput builtin() { return {registry(), registry().group_versions(), {}, "v1.33.0"}; }

Value v3(const OpenApiInput& input, std::string_view group, std::string_view version) {
  return json(openapi_v3_document(input, group, version, OpenApiEncoding::json));
}

bool has_query(const Value& operation, std::string_view name) {
  for (const Value& one : operation["parameters"].items()) {
    if (one["name"].as_string() == name && one["in"].as_string() == "query") return true;
  }
  return false;
}

Kind widget() {
  Kind kind;
  kind.group = "stable.example.com";
  kind.version = "v1";
  kind.kind = "Widget";
  kind.plural = "widgets";
  kind.singular = "widget";
  kind.custom = true;
  kind.verbs = {"create", "delete", "get", "list", "patch", "update", "watch"};
  return kind;
}

}  // namespace

TEST_CASE("fields carry how kubectl merges them") {
  Value schemas = v3(builtin(), "apps", "v1").path({"components", "schemas"});
  const Value& spec = schemas["io.k8s.api.core.v1.PodSpec"]["properties"];
  CHECK(
      format_json(spec["volumes"]) ==
      R"({"description":"storage the containers can mount","items":{"$ref":"#/components/schemas/io.k8s.api.core.v1.Volume"},)"
      R"("type":"array","x-kubernetes-list-map-keys":["name"],"x-kubernetes-list-type":"map",)"
      R"("x-kubernetes-patch-merge-key":"name","x-kubernetes-patch-strategy":"merge,retainKeys"})");
  const Value& ports = schemas["io.k8s.api.core.v1.Container"].path({"properties", "ports"});
  CHECK(ports["x-kubernetes-patch-merge-key"] == Value("containerPort"));
  CHECK(format_json(ports["x-kubernetes-list-map-keys"]) == R"(["containerPort","protocol"])");
  CHECK(schemas["io.k8s.api.apps.v1.DeploymentSpec"].path(
            {"properties", "strategy", "x-kubernetes-patch-strategy"}) == Value("retainKeys"));
  CHECK(schemas["io.k8s.api.core.v1.ContainerPort"].path({"properties", "protocol", "default"}) ==
        Value("TCP"));
  CHECK(schemas["io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector"]["x-kubernetes-map-type"] ==
        Value("atomic"));
}

TEST_CASE("kinds, lists and what they refer to are there, with their kinds named") {
  Value document = v3(builtin(), "apps", "v1");
  const Value& schemas = document.path({"components", "schemas"});
  CHECK(format_json(schemas["io.k8s.api.apps.v1.Deployment"]["x-kubernetes-group-version-kind"]) ==
        R"([{"group":"apps","kind":"Deployment","version":"v1"}])");
  CHECK(format_json(schemas["io.k8s.api.apps.v1.DeploymentList"]["required"]) == R"(["items"])");
  CHECK(schemas["io.k8s.api.apps.v1.DeploymentSpec"]["required"] ==
        json(R"(["selector","template"])"));
  // A claim is a kind even where it is only part of a StatefulSet.
  CHECK(schemas["io.k8s.api.core.v1.PersistentVolumeClaim"].path({"properties", "kind", "type"}) ==
        Value("string"));
  CHECK(schemas["io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"]
               ["x-kubernetes-group-version-kind"]
                   .size() == registry().group_versions().size());
  // Every reference has its schema.
  std::string text = format_json(document);
  constexpr std::string_view kPrefix = "\"#/components/schemas/";
  for (size_t at = text.find(kPrefix); at != text.npos; at = text.find(kPrefix, at + 1)) {
    size_t begin = at + kPrefix.size();
    std::string name = text.substr(begin, text.find('"', begin) - begin);
    if (!schemas.has(name)) FAIL("no schema " << name);
  }
}

TEST_CASE("operations say what they do, to which kind, and that the server checks fields") {
  for (const GroupVersion& served : registry().group_versions()) {
    for (const Kind* kind : served.kinds) {
      for (Dialect dialect : {Dialect::v2, Dialect::v3}) {
        for (const PathItem& one : path_items(builtin(), *kind, dialect)) {
          INFO(one.path);
          CHECK(one.path.find(kind->plural) != one.path.npos);
          for (std::string_view method : {"get", "put", "post", "patch", "delete"}) {
            const Value& operation = one.item[method];
            if (operation.is_null() || operation["x-kubernetes-action"] == Value("connect"))
              continue;
            CHECK(operation["x-kubernetes-group-version-kind"].size() == 3);
            if (method == "get") continue;
            CHECK(has_query(operation, "dryRun"));
            if (method != "delete") CHECK(has_query(operation, "fieldValidation"));
          }
        }
      }
    }
  }
  Value paths = v3(builtin(), "", "v1")["paths"];
  const Value& pod = paths["/api/v1/namespaces/{namespace}/pods/{name}"];
  CHECK(pod.path({"get", "operationId"}) == Value("readCoreV1NamespacedPod"));
  CHECK(pod.path({"patch", "x-kubernetes-action"}) == Value("patch"));
  CHECK(pod.path({"patch", "requestBody", "content", "application/strategic-merge-patch+json"})
            .is_object());
  CHECK(paths["/api/v1/pods"].path({"get", "x-kubernetes-action"}) == Value("list"));
  CHECK(paths["/api/v1/namespaces/{name}"].path({"get", "operationId"}) ==
        Value("readCoreV1Namespace"));
  CHECK(has_query(paths["/api/v1/namespaces/{namespace}/pods/{name}/exec"]["post"], "command"));
  CHECK(has_query(paths["/api/v1/namespaces/{namespace}/pods/{name}/log"]["get"], "tailLines"));
  CHECK(paths["/api/v1/namespaces/{namespace}/pods/{name}/eviction"].path(
            {"post", "x-kubernetes-group-version-kind", "kind"}) == Value("Eviction"));
}

TEST_CASE("custom kinds are published as they were written") {
  Kind kind = widget();
  std::vector<GroupVersion> served = registry().group_versions();
  served.push_back({kind.group, kind.version, "", {&kind}});
  CustomSchema custom[] = {
      {&kind, json(R"({"type":"object","properties":{"spec":{"type":"object","properties":{
      "size":{"type":"integer","nullable":true},"oneOf":{"type":"string"},
      "port":{"x-kubernetes-int-or-string":true,"anyOf":[{"type":"integer"},{"type":"string"}]}}}}})")}};
  OpenApiInput input{registry(), served, custom, "v1.33.0"};
  Value schema = v3(input, kind.group, kind.version)
                     .path({"components", "schemas", "com.example.stable.v1.Widget"});
  CHECK(schema.path({"properties", "spec", "properties", "size", "nullable"}) == Value(true));
  CHECK(schema.path({"properties", "apiVersion", "type"}) == Value("string"));
  // OpenAPI 2 has no anyOf; a field of the name of a keyword stays.
  Value old = json(openapi_v2_document(input, OpenApiEncoding::json))
                  .path({"definitions", "com.example.stable.v1.Widget"});
  const Value& properties = old.path({"properties", "spec", "properties"});
  CHECK(format_json(properties["port"]) == R"({"x-kubernetes-int-or-string":true})");
  CHECK(properties.path({"oneOf", "type"}) == Value("string"));
  // Custom kinds have neither strategic merge nor protobuf.
  Value paths = v3(input, kind.group, kind.version)["paths"];
  const Value& item = paths["/apis/stable.example.com/v1/namespaces/{namespace}/widgets/{name}"];
  CHECK(item.path({"patch", "requestBody", "content"}).size() == 3);
  CHECK_FALSE(
      item.path({"get", "responses", "200", "content"}).has("application/vnd.kubernetes.protobuf"));
  std::string before = openapi_v3_hash(input, served.back());
  custom[0].open_api_v3_schema = json(R"({"type":"object"})");
  CHECK(openapi_v3_hash(input, served.back()) != before);
}

TEST_CASE("the index names every group version") {
  Value paths = openapi_v3_index(builtin())["paths"];
  CHECK(paths.size() == registry().group_versions().size());
  CHECK(paths["api/v1"]["serverRelativeURL"].as_string().starts_with("/openapi/v3/api/v1?hash="));
  CHECK(paths["apis/apps/v1"]["serverRelativeURL"].as_string().starts_with(
      "/openapi/v3/apis/apps/v1?hash="));
  CHECK(openapi_v3_document(builtin(), "apps", "v9", OpenApiEncoding::json).empty());
}

// The bytes were computed with gnostic's Go package from the same JSON.
TEST_CASE("schemas become gnostic's messages") {
  Value schema = json(R"({"type":"object","description":"d","required":["a"],"properties":{
      "a":{"$ref":"#/definitions/B"},"b":{"type":"array","items":{"type":"string"}},
      "c":{"type":"object","additionalProperties":{"type":"integer","format":"int32"}}}})");
  std::string v2, v3;
  append_schema_protobuf(v2, Dialect::v2, "A", schema);
  append_schema_protobuf(v3, Dialect::v3, "A", schema);
  CHECK(encode_hex(v2) ==
        "0a7d0a014112782201649a010161b201080a066f626a656374ca01630a160a016112110a0f232f646566696e69"
        "74696f6e732f420a1f0a0162121ab201070a056172726179ba010d0a0bb201080a06737472696e670a280a0163"
        "1223aa01150a131205696e743332b201090a07696e7465676572b201080a066f626a656374");
  CHECK(encode_hex(v3) ==
        "0a81010a0141127c0a7aba010161ca01066f626a656374fa01660a180a0161121312110a0f232f646566696e69"
        "74696f6e732f420a1f0a0162121a0a18ca01056172726179f2010d0a0b0a09ca0106737472696e670a290a0163"
        "12240a22ca01066f626a6563748202160a140a12ca0107696e74656765729a0205696e74333292020164");
}
