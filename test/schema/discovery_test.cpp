#include "schema/discovery.h"

#include <catch2/catch_test_macros.hpp>

#include "data/json.h"

using namespace orch;
using namespace orch::schema;

namespace {

const Registry& registry() {
  static const auto built = Registry::builtin().value();
  return *built;
}

const Value& named(const Value& list, std::string_view key, std::string_view name) {
  for (const Value& item : list.items()) {
    if (item[key].as_string() == name) return item;
  }
  return Value::null();
}

}  // namespace

TEST_CASE("the legacy group lists resources and subresources as kubectl expects them") {
  auto list = discover_resources(registry().group_versions(), "", "v1");
  REQUIRE(list);
  CHECK((*list)["groupVersion"] == Value("v1"));
  const Value& resources = (*list)["resources"];
  CHECK(resources.at(0)["name"] == Value("bindings"));
  CHECK(
      format_json(resources.at(0)) ==
      R"({"kind":"Binding","name":"bindings","namespaced":true,"singularName":"binding","verbs":["create"]})");
  CHECK(format_json(named(resources, "name", "pods")) ==
        R"({"categories":["all"],"kind":"Pod","name":"pods","namespaced":true,"shortNames":["po"],)"
        R"("singularName":"pod","storageVersionHash":"xPOwRZ+Yhw8=",)"
        R"("verbs":["create","delete","deletecollection","get","list","patch","update","watch"]})");
  CHECK(format_json(named(resources, "name", "pods/eviction")) ==
        R"({"group":"policy","kind":"Eviction","name":"pods/eviction","namespaced":true,)"
        R"("singularName":"","verbs":["create"],"version":"v1"})");
  CHECK(
      format_json(named(resources, "name", "pods/exec")) ==
      R"({"kind":"PodExecOptions","name":"pods/exec","namespaced":true,"singularName":"","verbs":["create","get"]})");
  CHECK(named(resources, "name", "pods/log")["kind"] == Value("Pod"));
  CHECK(named(resources, "name", "nodes/proxy")["kind"] == Value("NodeProxyOptions"));
  CHECK(named(resources, "name", "serviceaccounts/token")["group"] ==
        Value("authentication.k8s.io"));
  CHECK_FALSE(discover_resources(registry().group_versions(), "apps", "v9"));
}

TEST_CASE("kinds kept as another kind share its storage version") {
  auto core = discover_resources(registry().group_versions(), "", "v1");
  auto events = discover_resources(registry().group_versions(), "events.k8s.io", "v1");
  CHECK(named((*core)["resources"], "name", "events")["storageVersionHash"] ==
        Value("r2yiGXH7wu8="));
  CHECK(named((*events)["resources"], "name", "events")["storageVersionHash"] ==
        Value("r2yiGXH7wu8="));
}

TEST_CASE("groups come by importance, versions with the preferred one first") {
  Value groups = discover_groups(registry().group_versions());
  CHECK(groups["kind"] == Value("APIGroupList"));
  CHECK(groups["groups"].at(0)["name"] == Value("apps"));
  const Value& autoscaling = named(groups["groups"], "name", "autoscaling");
  CHECK(format_json(autoscaling["preferredVersion"]) ==
        R"({"groupVersion":"autoscaling/v2","version":"v2"})");
  CHECK(autoscaling["versions"].size() == 2);
  CHECK(
      discover_group(registry().group_versions(), "batch")->path({"preferredVersion", "version"}) ==
      Value("v1"));
  CHECK_FALSE(discover_group(registry().group_versions(), "nope"));
  std::vector<GroupVersion> versions;
  for (const char* version : {"v1alpha1", "v1beta2", "foo", "v1", "v2beta1", "v10", "v2"}) {
    versions.push_back({"x.example.com", version, "", {}});
  }
  std::string order;
  for (const GroupVersion* one : sorted_group_versions(versions)) order += one->version + " ";
  CHECK(order == "v10 v2 v1 v2beta1 v1beta2 v1alpha1 foo ");
}

TEST_CASE("aggregated discovery carries everything in one document") {
  Value core = discover_aggregated(registry().group_versions(), true, "v2");
  CHECK(core["apiVersion"] == Value("apidiscovery.k8s.io/v2"));
  REQUIRE(core["items"].size() == 1);
  const Value& version = core["items"].at(0)["versions"].at(0);
  CHECK(version["freshness"] == Value("Current"));
  const Value& pods = named(version["resources"], "resource", "pods");
  CHECK(format_json(pods["responseKind"]) == R"({"group":"","kind":"Pod","version":"v1"})");
  CHECK(pods["scope"] == Value("Namespaced"));
  CHECK(
      format_json(named(pods["subresources"], "subresource", "binding")) ==
      R"({"responseKind":{"group":"","kind":"Binding","version":"v1"},"subresource":"binding","verbs":["create"]})");
  Value others = discover_aggregated(registry().group_versions(), false, "v2beta1");
  CHECK(others["apiVersion"] == Value("apidiscovery.k8s.io/v2beta1"));
  CHECK(others["items"].at(0).path({"metadata", "name"}) == Value("apps"));
  for (const Value& group : others["items"].items()) CHECK(group["metadata"].has("name"));
}
