#include "schema/hooks.h"

#include <catch2/catch_test_macros.hpp>

#include <functional>
#include <set>

#include "schema/formats.h"
#include "schema/graph.h"

using namespace orch;
using namespace orch::schema;

namespace {

// Named in kinds/*.schema and not written yet. Shrinks to nothing.
const std::set<std::string> kToDo = {
#include "hooks_todo.inc"
};

template <class F>
void look(const Hooks& hooks, const std::vector<std::string>& names, const char* what,
          std::set<std::string>& missing) {
  for (const std::string& name : names) {
    if (!hooks.find<F>(name)) missing.insert(std::string(what) + " @" + name);
  }
}

}  // namespace

TEST_CASE("every hook a schema names is there, or is on the list of those to write") {
  auto registry = Registry::builtin().value();
  Hooks hooks = Hooks::builtin();
  std::set<std::string> missing;
  for (const auto& type : registry->types()) {
    look<DefaultHook>(hooks, type->default_hooks, "default", missing);
    look<ValidateHook>(hooks, type->validate_hooks, "validate", missing);
    look<CreateHook>(hooks, type->create_hooks, "create", missing);
    look<UpdateHook>(hooks, type->update_hooks, "update", missing);
    look<PrepareHook>(hooks, type->prepare_hooks, "prepare", missing);
  }
  for (const std::string& name : missing) {
    INFO("not written, not on the list: " << name);
    CHECK(kToDo.contains(name));
  }
  for (const std::string& name : kToDo) {
    INFO("on the list, yet written or not named by any schema: " << name);
    CHECK(missing.contains(name));
  }
}

TEST_CASE("a kind that is stored as another can be converted there and back") {
  auto registry = Registry::builtin().value();
  Hooks hooks = Hooks::builtin();
  for (const auto& group_version : registry->group_versions()) {
    for (const Kind* kind : group_version.kinds) {
      if (!kind->stored_as) continue;
      INFO(kind->api_version() << " " << kind->kind);
      CHECK(hooks.find<ConvertHook>(kind->stored_as->function));
      CHECK(registry->find_kind(kind->stored_as->group, kind->stored_as->version, kind->stored_as->kind));
    }
  }
  const ConvertHook* events = hooks.find<ConvertHook>("events_v1");
  Value event = Value::object({{"apiVersion", "events.k8s.io/v1"}, {"note", "n"}, {"reason", "r"},
                               {"regarding", Value::object({{"name", "a"}})}});
  Value stored = events->to_stored(event);
  CHECK(stored["message"] == "n");
  CHECK(stored["involvedObject"]["name"] == "a");
  CHECK(events->from_stored(stored) == event);
}

TEST_CASE("every format a schema names is known") {
  auto registry = Registry::builtin().value();
  for (const auto& type : registry->types()) {
    for (const Field& field : type->fields) {
      if (field.limits.format.empty()) continue;
      INFO(type->name << "." << field.name << " format:" << field.limits.format);
      CHECK(find_format(field.limits.format));
    }
  }
  for (const auto& group_version : registry->group_versions()) {
    for (const Kind* kind : group_version.kinds) {
      INFO(kind->kind << " name " << kind->name_format);
      CHECK(find_name_format(kind->name_format));
    }
  }
}
