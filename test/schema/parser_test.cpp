#include "schema/parser.h"

#include <catch2/catch_test_macros.hpp>

#include "schema/graph.h"

using namespace orch;
using namespace orch::schema;

namespace {

Result<std::shared_ptr<const Registry>> build(std::string_view text) {
  return Registry::build({{"x_v1.schema", text}});
}

std::string error_of(std::string_view text) {
  auto registry = build(text);
  return registry.ok() ? "ok" : registry.error().message();
}

const std::string kHead = "package p.v1\ngroup x v1\n";

}  // namespace

TEST_CASE("the built-in schemas parse and link") {
  auto registry = Registry::builtin();
  if (!registry.ok()) FAIL(registry.error().message());
  const Kind* pod = (*registry)->find_kind("", "v1", "Pod");
  REQUIRE(pod);
  CHECK(pod->plural == "pods");
  CHECK(pod->singular == "pod");
  CHECK(pod->short_names == std::vector<std::string>{"po"});
  CHECK(pod->has_status());
  CHECK(pod->counts_generation);
  CHECK(pod->subresource("eviction")->group == "policy");
  CHECK(pod->subresource("binding")->version == "v1");
  CHECK((*registry)->find_resource("apps", "v1", "deployments")->kind == "Deployment");
  CHECK((*registry)->package_of("apps", "v1") == "k8s.io.api.apps.v1");
  const Type* spec = (*registry)->find_type("k8s.io.api.core.v1", "PodSpec");
  REQUIRE(spec);
  const Field* containers = spec->find("containers");
  REQUIRE(containers);
  CHECK(containers->type.shape == Shape::list);
  CHECK(containers->type.object->name == "Container");
  CHECK(containers->patch.merge);
  CHECK(containers->patch.key == "name");
  CHECK(spec->find("nope") == nullptr);
}

TEST_CASE("the fields of an inlined type are found in the outer one") {
  auto registry = Registry::builtin();
  REQUIRE(registry.ok());
  const Type* volume = (*registry)->find_type("k8s.io.api.core.v1", "Volume");
  REQUIRE(volume);
  CHECK(volume->find("volumeSource") == nullptr);
  REQUIRE(volume->find("emptyDir"));
  CHECK(volume->find("emptyDir")->number == 2);
  CHECK(volume->find("name")->required);
}

TEST_CASE("a field line says number, name, type, default, attributes and description") {
  auto registry = build(kHead +
                        "type T\n"
                        "  3 a?: *int32 = 7 min:0 max:9 immutable \"says # what\" # a comment\n"
                        "  4 b: T[] key:c patch:merge,retainKeys(c) unique minitems:1\n"
                        "  5 c?: string = \"x y\" enum:A|B|C\n"
                        "  6 d?: map[string[]] proto:items\n"
                        "  7 e: string[] = [\"p\", \"q\"] set mandatory\n"
                        "  8 f: int32 optional\n");
  if (!registry.ok()) FAIL(registry.error().message());
  const Type* type = (*registry)->find_type("p.v1", "T");
  REQUIRE(type->fields.size() == 6);
  const Field& a = type->fields[0];
  CHECK(a.number == 3);
  CHECK(a.type.pointer);
  CHECK(a.type.scalar == Scalar::int32);
  CHECK(a.default_value == Value(7));
  CHECK(a.limits.max == 9);
  CHECK(a.immutable);
  CHECK(a.omit_empty);
  CHECK_FALSE(a.openapi_required);
  CHECK(a.description == "says # what");
  const Field& b = type->fields[1];
  CHECK(b.type.object == type);
  CHECK(b.list == ListKind::map);
  CHECK(b.keys == std::vector<std::string>{"c"});
  CHECK(b.patch.retain_keys);
  CHECK(b.unique == "");
  CHECK(b.openapi_required);
  CHECK(type->fields[2].default_value == Value("x y"));
  CHECK(type->fields[2].limits.allowed.size() == 3);
  CHECK(type->fields[3].type.list_values);
  CHECK(type->fields[3].proto_items);
  CHECK(type->fields[4].default_value == Value::list({"p", "q"}));
  CHECK(type->fields[4].list == ListKind::set);
  CHECK_FALSE(type->fields[5].openapi_required);
}

TEST_CASE("a schema's error names file and line") {
  CHECK(error_of(kHead + "type T\n  1 a: strin\n") == "x_v1.schema:4: no type \"strin\" in p.v1");
  CHECK(error_of(kHead + "type T\n  1 a: string imutable\n") ==
        "x_v1.schema:4: unknown attribute \"imutable\"");
  CHECK(error_of(kHead + "type T\n  a: string\n") == "x_v1.schema:4: unknown line \"a:\"");
  CHECK(error_of(kHead + "type T\n  1 a: string\n  2 a: string\n") ==
        "x_v1.schema:5: a second field \"a\"");
  CHECK(error_of(kHead + "type T\n  1 a: o.S\n") == "x_v1.schema:4: no import \"o\"");
  CHECK(error_of(kHead + "type T\n  1 a: string \"open\n") == "x_v1.schema:4: a quote is not closed");
  CHECK(error_of(kHead + "type T\n  1 a: T[] key:b\n") ==
        "x_v1.schema:3: the items of \"a\" have no field \"b\"");
  CHECK(error_of(kHead + "type T\n  1 a: T inline\n") ==
        "x_v1.schema:3: types inlined into each other without end");
  CHECK(error_of(kHead + "type T\n  scope cluster\n") == "x_v1.schema:4: \"scope\" belongs to kinds");
  CHECK(error_of("type T\n") == "x_v1.schema:1: no package line");
}
