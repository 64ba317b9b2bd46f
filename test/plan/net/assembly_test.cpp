#include "plan/net/assembly.h"

#include "base/random.h"
#include "plan/net/fixtures.h"
#include "plan/net/ruleset_text.h"

using namespace orch;
using namespace orch::plan::net;
using namespace orch::test;

namespace {

// A Service of number `i` in a random shape, with addresses and ports that collide with others' now and then.
Value random_service(Random& random, int i) {
  const std::string ip = "10.43.0." + std::to_string(1 + random.below(6));
  const char* types[] = {"ClusterIP", "NodePort", "LoadBalancer"};
  std::string text = "metadata: {namespace: default, name: s" + std::to_string(i) + "}\nspec: {type: " + types[random.below(3)] +
                     ", clusterIP: " + (random.below(8) == 0 ? "None" : ip) +
                     ", externalIPs: [192.0.2." + std::to_string(1 + random.below(3)) + "]";
  if (random.below(3) == 0) text += ", sessionAffinity: ClientIP";
  if (random.below(3) == 0) text += ", externalTrafficPolicy: Local";
  if (random.below(4) == 0) text += ", internalTrafficPolicy: Local";
  text += ", ports: [{port: " + std::to_string(80 + random.below(3)) + ", nodePort: " + std::to_string(30000 + random.below(5)) + "}]}";
  return yaml(text);
}

std::vector<Value> random_slices(Random& random) {
  std::string text = "endpoints: [";
  for (uint64_t n = random.below(4); n > 0; --n)
    text += "{addresses: [10.42.0." + std::to_string(2 + random.below(9)) + "], nodeName: node-" + std::to_string(1 + random.below(2)) +
            ", conditions: {ready: " + (random.below(4) ? "true" : "false") + "}}, ";
  return {yaml(text + "]\nports: [{port: 8080}]")};
}

}  // namespace

TEST_CASE("Changes lead from each state to the next, and both ways of making them agree") {
  const uint64_t seed = 4711;
  INFO("seed " << seed);
  SeededRandom random(seed);
  Assembly assembly("t");
  assembly.put("", skeleton(network_options()));
  Ruleset kernel = assembly.take_all();
  std::map<std::string, Fragment> wanted{{"", skeleton(network_options())}};
  for (int step = 0; step < 400; ++step) {
    for (uint64_t n = 1 + random.below(3); n > 0; --n) {
      const int i = static_cast<int>(random.below(8));
      const std::string owner = service_owner("default", "s" + std::to_string(i));
      const Fragment fragment = random.below(5) == 0
                                    ? Fragment{}
                                    : service_fragment(random_service(random, i), random_slices(random), network_options());
      wanted[owner] = fragment;
      assembly.put(owner, fragment);
    }
    const Ruleset before = kernel;
    apply(kernel, assembly.take_changes());
    CHECK_FALSE(assembly.has_changes());

    Assembly anew("t");
    for (const auto& [owner, fragment] : wanted) anew.put(owner, fragment);
    const Ruleset all = anew.take_all();
    REQUIRE(format_ruleset(kernel) == format_ruleset(all));
    REQUIRE(kernel == all);
    Ruleset through_diff = before;
    apply(through_diff, diff(before, all));
    REQUIRE(through_diff == all);
    CHECK(diff(all, all).empty());
  }
}

TEST_CASE("Of an element that two want the first owner has it, then the other") {
  Assembly assembly("t");
  auto fragment = [](std::string chain) {
    Fragment f;
    f.chains[chain].rules = {{Reject{}}};
    f.elements.push_back({"local_ports", encode_key({uint8_t{6}, uint16_t{30080}}), go(chain)});
    return f;
  };
  assembly.put("b", fragment("chain_b"));
  CHECK(assembly.take_changes().added_elements.size() == 1);
  assembly.put("a", fragment("chain_a"));
  Changes changes = assembly.take_changes();
  REQUIRE(changes.added_elements.size() == 1);
  CHECK(changes.added_elements[0].verdict->chain == "chain_a");
  assembly.remove("a");
  changes = assembly.take_changes();
  REQUIRE(changes.added_elements.size() == 1);
  CHECK(changes.added_elements[0].verdict->chain == "chain_b");
  CHECK(changes.removed_chains == std::vector<std::string>{"chain_a"});
}

TEST_CASE("What changes back before it is taken is no change") {
  Assembly assembly("t");
  Fragment fragment;
  fragment.chains["c"].rules = {{Reject{}}};
  assembly.put("a", fragment);
  assembly.remove("a");
  CHECK(assembly.take_changes().empty());
}
