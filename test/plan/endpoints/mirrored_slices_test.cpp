#include "plan/endpoints/mirrored_slices.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <set>

#include "base/random.h"
#include "data/yaml.h"
#include "support/golden.h"
#include "support/plan_world.h"

using namespace orch;
using namespace orch::plan;
using namespace orch::test;

namespace {

struct Mirrors : PlanWorld {
  Mirrors() : PlanWorld({endpoint_slice_mirroring_reconciler()}) {}

  void add_document(const Value& object) {
    std::string_view kind = object["kind"].as_string();
    for (const Type& type : {types::services, types::endpoints, types::endpoint_slices})
      if (type.kind == kind) REQUIRE(!add(type, object).is_null());
  }
  Plan mirror(std::string_view name = "web") {
    return decide(endpoint_slice_mirroring_reconciler(), ObjectKey{"", "default", std::string(name)});
  }
  // What a reader of slices gets, without what the API adds.
  std::string slices_text() const {
    std::string text;
    for (const Value& slice : list(types::endpoint_slices, "default")) {
      Value meta = metadata(slice);
      for (std::string_view key : {"uid", "resourceVersion", "creationTimestamp", "generation", "namespace"})
        meta = meta.without(key);
      std::vector<Value> owners;
      for (const Value& owner : meta["ownerReferences"].items()) owners.push_back(owner.without("uid"));
      if (!owners.empty()) meta = meta.with("ownerReferences", Value::list(owners));
      text += "---\n" + format_yaml(slice.with("metadata", meta).without("apiVersion").without("kind"));
    }
    return text;
  }
};

}  // namespace

TEST_CASE("Endpoints written by hand are mirrored as kube-controller-manager does") {
  check_golden("plan/endpoints/golden/mirrored_slices.txt", [](const GoldenCase& golden) {
    Mirrors world;
    auto documents = parse_yaml(golden.input);
    REQUIRE(documents.ok());
    for (const YamlDocument& document : documents.value()) world.add_document(document.value);
    const Plan plan = world.mirror();
    std::string text = format_plan(plan);
    for (const Note& note : plan.notes) text += note.reason + ": " + note.message + "\n";
    CHECK(!world.act(plan).has_value());
    CHECK(world.mirror().empty());
    return text + world.slices_text();
  });
}

TEST_CASE("Of more than 1,000 addresses of a subset the rest is left out, and said so once") {
  Mirrors world;
  world.add(types::services, Value::object({{"metadata", Value::object({{"name", "web"}, {"namespace", "default"}})}}));
  std::vector<Value> addresses;
  for (int i = 0; i < 1003; ++i)
    addresses.push_back(Value::object({{"ip", "10.1." + std::to_string(i / 256) + "." + std::to_string(i % 256)}}));
  addresses.push_back(Value::object({{"ip", "nonsense"}}));
  std::swap(addresses.front(), addresses.back());
  Value subset = Value::object({{"addresses", Value::list(addresses)}});
  world.add(types::endpoints, Value::object({{"metadata", Value::object({{"name", "web"}, {"namespace", "default"}})},
                                             {"subsets", Value::list({subset})}}));
  const Plan plan = world.mirror();
  REQUIRE(plan.notes.size() == 2);
  CHECK(plan.notes[0].message == "Skipped 1 invalid IP addresses when mirroring to EndpointSlices");
  CHECK(plan.notes[1].reason == "TooManyAddressesToMirror");
  CHECK(plan.notes[1].message ==
        "A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints subset. 4 addresses were skipped");
  CHECK(!world.act(plan).has_value());
  CHECK(world.list(types::endpoint_slices).at(0)["endpoints"].size() == 1000);
  CHECK(world.mirror().empty());
}

namespace {

Value random_subsets(Random& random) {
  std::vector<Value> subsets;
  for (uint64_t i = random.below(4); i > 0; --i) {
    std::vector<Value> lists[2];
    for (uint64_t k = random.below(6); k > 0; --k) {
      std::string ip = (random.below(2) ? "10.0.0." : "fd00::") + std::to_string(1 + random.below(9));
      lists[random.below(2)].push_back(Value::object({{"ip", ip}}));
    }
    Value port = Value::object({{"port", static_cast<int64_t>(80 + random.below(3))}, {"protocol", "TCP"}});
    subsets.push_back(Value::object({{"addresses", Value::list(lists[0])},
                                     {"notReadyAddresses", Value::list(lists[1])},
                                     {"ports", Value::list({port})}}));
  }
  return Value::list(subsets);
}

// family, port, address of all there is
using Facts = std::set<std::string>;

Facts facts_of_subsets(const Value& subsets) {
  Facts facts;
  for (const Value& subset : subsets.items())
    for (std::string_view list : {"addresses", "notReadyAddresses"})
      for (const Value& address : subset[list].items())
        facts.insert(std::to_string(subset["ports"].at(0)["port"].as_int()) + " " + std::string(address["ip"].as_string()));
  return facts;
}

Facts facts_of_slices(const std::vector<Value>& slices) {
  Facts facts;
  for (const Value& slice : slices) {
    for (const Value& endpoint : slice["endpoints"].items()) {
      const std::string ip(endpoint["addresses"].at(0).as_string());
      CHECK((ip.find(':') != std::string::npos) == (slice["addressType"].as_string() == "IPv6"));
      const bool fresh = facts.insert(std::to_string(slice["ports"].at(0)["port"].as_int()) + " " + ip).second;
      CHECK(fresh);  // no address twice
    }
  }
  return facts;
}

}  // namespace

TEST_CASE("Whatever Endpoints become, their mirror has the same addresses, once each, in as few slices as can be") {
  const auto seed = GENERATE(range(0, 40));
  CAPTURE(seed);
  SeededRandom random(static_cast<uint64_t>(seed));
  Mirrors world;
  world.add(types::services, Value::object({{"metadata", Value::object({{"name", "web"}, {"namespace", "default"}})}}));
  Value others = world.add(types::endpoint_slices,
                           Value::object({{"metadata", Value::object({{"name", "mine"},
                                                                      {"namespace", "default"},
                                                                      {"labels", Value::object({{"kubernetes.io/service-name", "web"}})}})}}));
  Value endpoints = world.add(types::endpoints, Value::object({{"metadata", Value::object({{"name", "web"}, {"namespace", "default"}})}}));
  for (int round = 0; round < 12; ++round) {
    const Value subsets = random_subsets(random);
    world.change(types::endpoints, endpoints, [&](const Value& v) { return v.with("subsets", subsets); });
    REQUIRE(!world.act(world.mirror()).has_value());
    CHECK(world.mirror().empty());
    std::vector<Value> ours;
    std::set<std::string> kinds;
    for (const Value& slice : world.list(types::endpoint_slices, "default")) {
      if (name_of(slice) == "mine") {
        CHECK(slice == others);
        continue;
      }
      ours.push_back(slice);
      CHECK(kinds.insert(std::string(slice["addressType"].as_string()) + std::to_string(slice["ports"].at(0)["port"].as_int())).second);
    }
    CHECK(facts_of_slices(ours) == facts_of_subsets(subsets));
  }
}

TEST_CASE("Endpoints, their service and their slices tell the mirroring of changes") {
  Mirrors world;
  const Reconciler mirroring = endpoint_slice_mirroring_reconciler();
  auto keys = [&](size_t watch, const Value& old, const Value& now) {
    std::vector<ObjectKey> all;
    mirroring.watches[watch].keys_of(world.snapshot(), types::endpoints, old, now, all);
    return all.size();
  };
  Value meta = Value::object({{"name", "web"}, {"namespace", "default"}});
  Value plain = Value::object({{"metadata", meta}});
  Value lock = Value::object({{"metadata", meta.with("annotations", Value::object({{"control-plane.alpha.kubernetes.io/leader", "{}"}}))}});
  CHECK(keys(0, Value(), plain) == 1);
  CHECK(keys(0, plain, lock) == 1);
  CHECK(keys(0, lock, lock) == 0);
  Value selecting = plain.with("spec", Value::object({{"selector", Value::object({{"a", "b"}})}}));
  CHECK(keys(1, Value(), plain) == 1);
  CHECK(keys(1, plain, plain) == 0);
  CHECK(keys(1, plain, selecting) == 1);
  CHECK(keys(1, Value(), selecting) == 0);
  CHECK(keys(1, plain, Value()) == 1);
  Value labels = Value::object({{"kubernetes.io/service-name", "web"},
                                {"endpointslice.kubernetes.io/managed-by", "endpointslicemirroring-controller.k8s.io"}});
  Value slice = Value::object({{"metadata", meta.with("labels", labels)}});
  CHECK(keys(2, slice, Value()) == 1);
  CHECK(keys(2, Value(), plain) == 0);
}
