#include "plan/pod/reconcile.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include "base/random.h"
#include "base/text.h"
#include "data/yaml.h"
#include "plan/core/pod.h"
#include "plan/pod/pod_world.h"
#include "support/golden.h"

using namespace orch;
using namespace orch::plan::pod;
using namespace orch::test;

TEST_CASE("The life of a pod goes as kubelet would have it") {
  // The input is the pod, `%%`, and a script; every step is settled.
  check_golden("plan/pod/golden/life.txt", [](const GoldenCase& golden) {
    auto parts = split_once(golden.input, '%');
    REQUIRE(parts);
    PodWorld world(parse_yaml_document(parts->first).value());
    for (std::string_view line : split(parts->second, '\n')) {
      if (!trim(line).empty() && trim(line) != "%") world.step(std::string(trim(line)));
    }
    return world.log();
  });
}

namespace {

int live(const PodWorld& world, std::string_view name) {
  int count = 0;
  if (world.sandbox() && world.sandbox()->alive)
    for (const ContainerRecord& record : world.sandbox()->containers) count += record.name == name && record.is_live();
  return count;
}

bool main_began(const PodWorld& world) {
  if (!world.sandbox()) return false;
  for (const ContainerRecord& record : world.sandbox()->containers)
    if (record.name == "main" || record.name == "second") return true;
  return false;
}

bool init_done(const PodWorld& world) {
  for (const ContainerRecord& record : world.sandbox()->containers)
    if (record.name == "setup" && !record.is_live() && record.exit_code == 0) return true;
  return false;
}

}  // namespace

TEST_CASE("Whatever happens to its containers, a pod converges and breaks no rule on the way") {
  uint64_t seed = GENERATE(range(1, 60));
  INFO("seed " << seed);
  SeededRandom random(seed);
  std::string_view policy = std::array<std::string_view, 3>{"Always", "OnFailure", "Never"}[random.below(3)];
  std::string yaml = "spec:\n  terminationGracePeriodSeconds: 5\n  restartPolicy: " + std::string(policy) + R"(
  initContainers:
  - {name: setup, image: a}
  - {name: proxy, image: b, restartPolicy: Always}
  containers:
  - {name: main, image: c, lifecycle: {preStop: {sleep: {seconds: 1}}}}
  - {name: second, image: d}
)";
  PodWorld world(parse_yaml_document(yaml).value());
  bool was_terminal = false;
  world.invariant = [&](PodWorld& w) {
    for (std::string_view name : {"setup", "proxy", "main", "second"}) REQUIRE(live(w, name) <= 1);
    if (main_began(w) && w.sandbox()->alive) REQUIRE(init_done(w));
    bool terminal = plan::is_pod_finished(Value::object({{"status", w.status()}}));
    if (was_terminal) REQUIRE(terminal);
    INFO(w.log());
    if (terminal) REQUIRE(live(w, "main") + live(w, "second") == 0);
    was_terminal = terminal;
  };
  world.settle();
  for (int i = 0; i < 25; ++i) {
    std::string name = std::array<std::string, 4>{"setup", "proxy", "main", "second"}[random.below(4)];
    switch (random.below(6)) {
      case 0:
      case 1:
        if (live(world, name) && world.sandbox()->alive) world.step("exit " + name + " " + std::to_string(random.below(2)));
        break;
      case 2: world.step("wait " + std::to_string(random.below(20)) + "s"); break;
      case 3:
        if (random.below(4) == 0) world.step("die");
        break;
      case 4:
        if (random.below(4) == 0) world.step("restart");
        break;
      case 5:
        if (random.below(6) == 0) world.step("reboot");
        break;
    }
  }
  if (live(world, "setup")) world.step("exit setup 0");
  for (int i = 0; i < 20 && !was_terminal && !live(world, "main"); ++i) {
    world.step("wait 301s");
    if (live(world, "setup")) world.step("exit setup 0");
  }
  INFO(world.log());
  if (policy == "Always") CHECK(live(world, "main") + live(world, "second") + live(world, "proxy") == 3);
  world.step("delete 5");
  world.step("wait 30s");
  CHECK(world.object_deleted());
  CHECK(world.forgotten());
  CHECK(world.sandbox() == nullptr);
}
