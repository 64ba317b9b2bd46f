#include "plan/gc/namespace_defaults.h"

#include <catch2/catch_test_macros.hpp>

#include "support/plan_world.h"

using namespace orch;
using namespace orch::plan;
using namespace orch::test;

namespace {

struct Defaults : PlanWorld {
  Defaults() : PlanWorld({default_service_account_reconciler(), root_ca_reconciler()}) {
    ns = add(types::namespaces, Value::object({{"metadata", Value::object({{"name", "a"}, {"finalizers", Value::list({"x"})}})},
                                               {"status", Value::object({{"phase", "Active"}})}}));
  }
  Value ns;
  Value account() const { return get(types::service_accounts, "a", "default"); }
  Value ca() const { return get(types::config_maps, "a", "kube-root-ca.crt"); }
};

}  // namespace

TEST_CASE("Every namespace gets a default ServiceAccount and the root certificate, again when they go") {
  Defaults world;
  REQUIRE(world.settle());
  CHECK(!world.account().is_null());
  CHECK(world.ca()["data"]["ca.crt"] == Value("root certificate"));
  world.finish_deletion(types::service_accounts, world.account());
  world.finish_deletion(types::config_maps, world.ca());
  REQUIRE(world.settle());
  CHECK(!world.account().is_null());
  CHECK(!world.ca().is_null());
}

TEST_CASE("The root certificate follows the server's, whatever somebody wrote there") {
  Defaults world;
  REQUIRE(world.settle());
  world.root_ca = "new";
  REQUIRE(world.settle());
  CHECK(world.ca()["data"] == Value::object({{"ca.crt", "new"}}));
}

TEST_CASE("A namespace that goes gets nothing") {
  Defaults world;
  world.request_deletion(types::namespaces, world.ns);
  REQUIRE(world.settle());
  CHECK(world.account().is_null());
  CHECK(world.ca().is_null());
}
