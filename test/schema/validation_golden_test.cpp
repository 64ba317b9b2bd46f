#include <catch2/catch_test_macros.hpp>

#include "base/text.h"
#include "data/yaml.h"
#include "schema/engine.h"
#include "schema/hooks.h"
#include "support/golden.h"

using namespace orch;
using namespace orch::schema;

namespace {

const Registry& registry() {
  static const auto built = Registry::builtin().value();
  return *built;
}
const Hooks& hooks() {
  static const Hooks all = Hooks::builtin();
  return all;
}

std::string shown(const std::vector<Cause>& causes) {
  std::string lines;
  for (const Cause& cause : causes) lines += cause.field + ": " + cause.message + "\n";
  return lines;
}

struct Found {
  const Kind* kind = nullptr;  // null: a type without a resource
  const Type* type = nullptr;
};

Found find(const Value& object) {
  std::string_view version = object["apiVersion"].as_string(), group, name = object["kind"].as_string();
  if (auto parts = split_once(version, '/')) {
    group = parts->first;
    version = parts->second;
  }
  if (const Kind* kind = registry().find_kind(group, version, name)) return {kind, kind->type};
  std::string_view package = registry().package_of(group, version);
  return {nullptr, registry().find_type(package.empty() ? "k8s.io.apimachinery.pkg.apis.meta.v1" : package, name)};
}

// "name of a case [status]": the subresource that is written.
std::string_view subresource_of(std::string_view name) {
  const size_t open = name.rfind('[');
  return open == name.npos || !name.ends_with("]") ? "" : name.substr(open + 1, name.size() - open - 2);
}

// Through all that a write goes through: prune, defaults, what the server fills in, checks.
std::string checked(std::string_view name, const std::vector<YamlDocument>& documents) {
  const auto [kind, type] = find(documents.front().value);
  CAPTURE(name);
  REQUIRE(type);
  std::vector<Value> objects;
  for (const YamlDocument& document : documents) {
    auto pruned = prune(*type, document.value);
    if (!pruned.ok()) return pruned.error().message() + "\n";
    for (const std::string& unknown : pruned->unknown) FAIL_CHECK(name << ": " << unknown);
    objects.push_back(apply_defaults(*type, pruned->object, hooks()));
  }
  if (!kind) return shown(validate_type(*type, objects[0], hooks()));
  WriteContext write{.subresource = subresource_of(name)};
  if (objects.size() == 1)
    return shown(validate_create(*kind, prepare_create(*kind, objects[0], hooks(), write), hooks(), write));
  if (documents[0].value["status"].is_null()) objects[0] = prepare_create(*kind, objects[0], hooks(), {});
  const Value next = prepare_update(*kind, objects[0], objects[1], hooks(), write);
  return shown(validate_update(*kind, objects[0], next, hooks(), write));
}

}  // namespace

TEST_CASE("every rule refuses in Kubernetes' words") {
  test::check_golden("schema/golden/validation.txt", [](const test::GoldenCase& golden) {
    auto documents = parse_yaml(golden.input);
    if (!documents.ok()) FAIL(golden.name << ": " << documents.error().message());
    return checked(golden.name, documents.value());
  });
}

TEST_CASE("lists of every kind are checked item by item, and for what may be there once") {
  test::check_golden("schema/golden/validation_lists.txt", [](const test::GoldenCase& golden) {
    auto documents = parse_yaml(golden.input);
    if (!documents.ok()) FAIL(golden.name << ": " << documents.error().message());
    return checked(golden.name, documents.value());
  });
}
