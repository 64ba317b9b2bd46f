#include "plan/endpoints/endpoints.h"

#include <catch2/catch_test_macros.hpp>

#include "plan/endpoints/fixtures.h"

using namespace orch;
using namespace orch::plan;
using namespace orch::test;

namespace {

struct World : Services {
  World() : Services({endpoints_reconciler()}) {}
  Value web() const { return get(types::endpoints, "default", "web"); }
};

std::vector<std::string> ips(const Value& addresses) {
  std::vector<std::string> all;
  for (const Value& address : addresses.items()) all.emplace_back(address["ip"].as_string());
  return all;
}

}  // namespace

TEST_CASE("Endpoints list ready and unready pods, and none that are ending") {
  World world;
  world.graceful_pods = true;
  world.add(types::services, service("web", {service_port("http", 80, "web")}));
  world.pod("a", "web", "10.0.0.1");
  world.pod("b", "web", "10.0.0.2", false);
  world.request_deletion(types::pods, world.pod("c", "web", "10.0.0.3"));
  REQUIRE(world.settle());
  REQUIRE(world.web()["subsets"].size() == 1);
  const Value& subset = world.web()["subsets"].at(0);
  CHECK(ips(subset["addresses"]) == std::vector<std::string>{"10.0.0.1"});
  CHECK(ips(subset["notReadyAddresses"]) == std::vector<std::string>{"10.0.0.2"});
  CHECK(subset["ports"] == Value::list({Value::object({{"name", "http"}, {"port", 8080}, {"protocol", "TCP"}})}));
  CHECK(subset["addresses"].at(0)["targetRef"]["name"] == Value("a"));
}

TEST_CASE("Endpoints of a service without pods exist and are empty") {
  World world;
  world.add(types::services, service("web", {service_port("", 80, 80)}));
  REQUIRE(world.settle());
  CHECK(!world.web().is_null());
  CHECK(!world.web().has("subsets"));
}

TEST_CASE("Endpoints go with their service; others' without a service stay") {
  World world;
  Value svc = world.add(types::services, service("web", {service_port("", 80, 80)}));
  REQUIRE(world.settle());
  world.finish_deletion(types::services, svc);
  world.act(world.decide(endpoints_reconciler(), ObjectKey{"", "default", "web"}));
  CHECK(world.web().is_null());
  Value lock = world.add(types::endpoints, Value::object({{"metadata", Value::object({{"name", "lock"}, {"namespace", "default"}})}}));
  CHECK(world.decide(endpoints_reconciler(), ObjectKey{"", "default", "lock"}).empty());
}

TEST_CASE("Endpoints of a service without a selector are the user's") {
  World world;
  world.add(types::services, service("web", {}).with_path({"spec", "selector"}, std::nullopt));
  CHECK(world.settle());
  CHECK(world.web().is_null());
}
