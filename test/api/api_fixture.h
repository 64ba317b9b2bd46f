#pragma once
// The request pipeline on a store in memory, driven on a virtual clock.

#include <catch2/catch_test_macros.hpp>

#include "api/admission.h"
#include "api/bootstrap.h"
#include "api/local_port.h"
#include "api/objects.h"
#include "api/watching.h"
#include "base/random.h"
#include "loop/virtual_loop.h"
#include "schema/hooks.h"
#include "store/memory_store.h"

namespace orch::test {

struct ApiFixture {
  loop::VirtualLoop loop;
  SeededRandom random{7};
  store::MemoryStore store{loop};
  std::shared_ptr<const schema::Registry> registry = schema::Registry::builtin().value();
  schema::Hooks hooks = schema::Hooks::builtin();
  std::unique_ptr<api::Admission> admission = std::move(api::builtin_admission(store, {})).value();
  api::Objects objects{{loop, store, registry, hooks, random, *admission, Logger::discard()}};
  api::LocalPort port{objects};

  ApiFixture() { REQUIRE(loop.run(api::bootstrap(port, {"10.43.0.0/16", "127.0.0.1", 6443})).ok()); }

  static client::Target maps(std::string name = "") { return {"", "v1", "configmaps", "default", std::move(name), ""}; }
  static client::Target pods(std::string name = "") { return {"", "v1", "pods", "default", std::move(name), ""}; }
  static client::Target services(std::string name = "") { return {"", "v1", "services", "default", std::move(name), ""}; }

  static Value config_map(std::string_view name, std::string_view value = "1", Value labels = {}) {
    ObjectBuilder metadata;
    metadata.set("name", name).set_if("labels", std::move(labels));
    return Value::object({{"apiVersion", "v1"},
                          {"kind", "ConfigMap"},
                          {"metadata", std::move(metadata).build()},
                          {"data", Value::object({{"a", value}})}});
  }
  static Value pod(std::string_view name) {
    Value container = Value::object({{"name", "main"}, {"image", "busybox"}});
    return Value::object({{"apiVersion", "v1"},
                          {"kind", "Pod"},
                          {"metadata", Value::object({{"name", name}})},
                          {"spec", Value::object({{"containers", Value::list({container})}})}});
  }

  Result<Value> create(client::Target target, Value object) { return loop.run(port.create(target, object, {})); }
  Result<Value> get(client::Target target) { return loop.run(port.get(target)); }
  Result<Value> update(client::Target target, Value object) { return loop.run(port.update(target, object, {})); }
  Result<Value> merge(client::Target target, Value patch) {
    return loop.run(port.patch(target, client::PatchType::merge, patch, {}));
  }
  Result<Value> remove(client::Target target, client::RemoveOptions options = {}) {
    return loop.run(port.remove(target, options));
  }
  Result<api::ListPage> list(client::Target target, api::ListQuery query) {
    return loop.run(objects.list(target, query));
  }
};

}  // namespace orch::test
