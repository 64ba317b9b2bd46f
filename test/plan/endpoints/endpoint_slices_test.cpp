#include "plan/endpoints/endpoint_slices.h"

#include <catch2/catch_test_macros.hpp>
#include <map>
#include <set>

#include "plan/endpoints/fixtures.h"
#include "plan/endpoints/slice_packing.h"

using namespace orch;
using namespace orch::plan;
using namespace orch::test;

namespace {

struct Slices : Services {
  Slices() : Services({endpoint_slice_reconciler()}) {}
  std::vector<Value> slices() const { return list(types::endpoint_slices, "default"); }
  // ready/serving/terminating of the endpoint with this address
  std::string state_of(std::string_view ip) const {
    for (const Value& slice : slices())
      for (const Value& endpoint : slice["endpoints"].items()) {
        if (endpoint["addresses"].at(0).as_string() != ip) continue;
        const Value& c = endpoint["conditions"];
        return std::string(c["ready"].as_bool() ? "ready " : "- ") + (c["serving"].as_bool() ? "serving " : "- ") +
               (c["terminating"].as_bool() ? "terminating" : "-");
      }
    return "absent";
  }
};

}  // namespace

TEST_CASE("A service has a slice with the addresses of the pods it selects") {
  Slices world;
  world.add(types::nodes, Value::object({{"metadata", Value::object({{"name", "n1"},
      {"labels", Value::object({{"topology.kubernetes.io/zone", "z1"}})}})}}));
  Value svc = world.add(types::services, service("web", {service_port("http", 80, 8080)}));
  Value pod = world.pod("web-1", "web", "10.0.0.1");
  world.pod("db-1", "db", "10.0.0.9");
  REQUIRE(world.settle());
  REQUIRE(world.slices().size() == 1);
  const Value slice = world.slices()[0];
  CHECK(name_of(slice).substr(0, 4) == "web-");
  CHECK(labels_of(slice)["kubernetes.io/service-name"] == Value("web"));
  CHECK(labels_of(slice)["endpointslice.kubernetes.io/managed-by"] == Value("endpointslice-controller.k8s.io"));
  CHECK(is_controlled_by(slice, uid_of(svc)));
  CHECK(slice["addressType"] == Value("IPv4"));
  CHECK(slice["ports"] == Value::list({Value::object({{"name", "http"}, {"port", 8080}, {"protocol", "TCP"}})}));
  REQUIRE(slice["endpoints"].size() == 1);
  const Value& endpoint = slice["endpoints"].at(0);
  CHECK(endpoint["addresses"] == Value::list({"10.0.0.1"}));
  CHECK(endpoint["nodeName"] == Value("n1"));
  CHECK(endpoint["zone"] == Value("z1"));
  CHECK(endpoint["targetRef"] == Value::object({{"kind", "Pod"}, {"namespace", "default"}, {"name", "web-1"}, {"uid", uid_of(pod)}}));
}

TEST_CASE("Endpoints say whether they are ready, serving and terminating") {
  Slices world;
  world.graceful_pods = true;
  world.add(types::services, service("web", {service_port("", 80, 80)}));
  world.pod("up", "web", "10.0.0.1");
  world.pod("starting", "web", "10.0.0.2", false);
  world.request_deletion(types::pods, world.pod("ending", "web", "10.0.0.3"));
  Value done = world.pod("done", "web", "10.0.0.4");
  world.change(types::pods, done, [](const Value& v) { return v.with_path({"status", "phase"}, Value("Succeeded")); });
  REQUIRE(world.settle());
  CHECK(world.state_of("10.0.0.1") == "ready serving -");
  CHECK(world.state_of("10.0.0.2") == "- - -");
  CHECK(world.state_of("10.0.0.3") == "- serving terminating");
  CHECK(world.state_of("10.0.0.4") == "absent");
}

TEST_CASE("publishNotReadyAddresses makes every endpoint ready") {
  Slices world;
  world.add(types::services, service("web", {service_port("", 80, 80)}).with_path({"spec", "publishNotReadyAddresses"}, Value(true)));
  world.pod("starting", "web", "10.0.0.2", false);
  REQUIRE(world.settle());
  CHECK(world.state_of("10.0.0.2") == "ready - -");
}

TEST_CASE("A named target port is each pod's own, and pods with different ports are in different slices") {
  Slices world;
  world.add(types::services, service("web", {service_port("http", 80, "web")}));
  world.pod("a", "web", "10.0.0.1");
  Value other = world.pod("b", "web", "10.0.0.2");
  world.change(types::pods, other, [](const Value& v) {
    Value port = Value::object({{"name", "web"}, {"containerPort", 9090}, {"protocol", "TCP"}});
    return v.with_path({"spec", "containers"}, Value::list({Value::object({{"ports", Value::list({port})}})}));
  });
  REQUIRE(world.settle());
  std::map<int64_t, std::string> by_port;
  for (const Value& slice : world.slices())
    by_port[slice["ports"].at(0)["port"].as_int()] = slice["endpoints"].at(0)["addresses"].at(0).as_string();
  CHECK(by_port == std::map<int64_t, std::string>{{8080, "10.0.0.1"}, {9090, "10.0.0.2"}});
}

TEST_CASE("A service nobody is behind has one empty slice, which is filled later") {
  Slices world;
  world.add(types::services, service("web", {service_port("", 80, 80)}));
  REQUIRE(world.settle());
  REQUIRE(world.slices().size() == 1);
  CHECK(world.slices()[0]["endpoints"].empty());
  Value pod = world.pod("a", "web", "10.0.0.1");
  REQUIRE(world.settle());
  REQUIRE(world.slices().size() == 1);
  CHECK(world.slices()[0]["endpoints"].size() == 1);
  world.finish_deletion(types::pods, pod);
  REQUIRE(world.settle());
  REQUIRE(world.slices().size() == 1);
  CHECK(world.slices()[0]["endpoints"].empty());
}

TEST_CASE("Headless services are labelled, and their pods keep their host names") {
  Slices world;
  Value headless = service("web", {}).with_path({"spec", "clusterIP"}, Value("None"));
  world.add(types::services, headless);
  Value pod = world.pod("a", "web", "10.0.0.1");
  world.change(types::pods, pod, [](const Value& v) {
    return v.with_path({"spec", "hostname"}, Value("a")).with_path({"spec", "subdomain"}, Value("web"));
  });
  REQUIRE(world.settle());
  REQUIRE(world.slices().size() == 1);
  CHECK(labels_of(world.slices()[0]).has("service.kubernetes.io/headless"));
  CHECK(world.slices()[0]["endpoints"].at(0)["hostname"] == Value("a"));
}

TEST_CASE("Services without a selector and slices of others are left alone") {
  Slices world;
  world.add(types::services, service("web", {}).with_path({"spec", "selector"}, std::nullopt));
  Value meta = Value::object({{"name", "mine"},
                              {"namespace", "default"},
                              {"labels", Value::object({{"kubernetes.io/service-name", "db"}})}});
  Value mine = world.add(types::endpoint_slices, Value::object({{"metadata", meta}, {"addressType", "IPv4"}}));
  world.add(types::services, service("db", {}));
  REQUIRE(world.settle());
  CHECK(world.get(types::endpoint_slices, "default", "mine") == mine);
  CHECK(world.slices().size() == 2);  // the other one: db's own, empty
}

TEST_CASE("Slices hold 100 endpoints at most, and one pod more or less changes one slice") {
  Slices world;
  world.add(types::services, service("web", {service_port("", 80, 80)}));
  auto ip = [](int i) { return "10.0." + std::to_string(i / 200) + "." + std::to_string(i % 200 + 1); };
  for (int i = 0; i < 250; ++i) world.pod("p" + std::to_string(i), "web", ip(i));
  REQUIRE(world.settle());
  std::multiset<size_t> sizes;
  for (const Value& slice : world.slices()) sizes.insert(slice["endpoints"].size());
  CHECK(sizes == std::multiset<size_t>{50, 100, 100});

  world.pod("one-more", "web", "10.9.0.1");
  Plan plan = world.decide(endpoint_slice_reconciler(), ObjectKey{"", "default", "web"});
  CHECK(plan.actions.size() == 1);
  REQUIRE(world.settle());
  world.finish_deletion(types::pods, world.get(types::pods, "default", "p7"));
  plan = world.decide(endpoint_slice_reconciler(), ObjectKey{"", "default", "web"});
  CHECK(plan.actions.size() == 1);
  CHECK(plan.actions[0].verb == Verb::update);
}

TEST_CASE("Packing loses and doubles nobody, whatever comes and goes") {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    std::vector<Value> slices;
    std::set<std::string> present;
    for (int round = 0; round < 25; ++round) {
      for (uint64_t n = random.below(120); n > 0; --n) present.insert(std::to_string(random.below(400)));
      for (uint64_t n = random.below(120); n > 0 && !present.empty(); --n) present.erase(present.begin());
      std::vector<Value> wanted;
      for (const std::string& address : present) wanted.push_back(Value::object({{"addresses", Value::list({address})}}));
      auto packed = pack_slices(slices, wanted);
      slices.clear();
      std::multiset<std::string> seen;
      for (const PackedSlice& p : packed) {
        CHECK(p.endpoints.size() <= most_endpoints_in_slice);
        if (!p.changed) CHECK(p.slice["endpoints"].size() == p.endpoints.size());
        for (const Value& endpoint : p.endpoints) seen.insert(std::string(endpoint["addresses"].at(0).as_string()));
        if (!p.endpoints.empty()) slices.push_back(Value::object({{"endpoints", Value::list(p.endpoints)}}));
      }
      CHECK(seen == std::multiset<std::string>(present.begin(), present.end()));
      for (const PackedSlice& p : pack_slices(slices, wanted)) CHECK(!p.changed);
    }
  }
}
