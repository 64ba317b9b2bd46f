// Random clusters and pods, judged by a second, naive reading of the objects themselves.

#include <catch2/catch_test_macros.hpp>
#include <map>

#include "data/quantity.h"
#include "plan/sched/fixtures.h"
#include "plan/sched/placer.h"

using namespace orch;
using namespace orch::plan::sched;
using namespace orch::test;

namespace {

// ---- The judge: nothing of plan/sched in here.

double amount(const Value& resources, std::string_view name) { return Quantity::from(resources[name]).as_double(); }

double wanted(const Value& pod, std::string_view name) {
  const Value& spec = pod["spec"];
  double containers = 0, sidecars = 0, most = 0;
  for (const Value& c : spec["containers"].items()) containers += amount(c["resources"]["requests"], name);
  for (const Value& c : spec["initContainers"].items()) {
    const double own = amount(c["resources"]["requests"], name);
    if (c["restartPolicy"] == Value("Always")) {
      sidecars += own;
      most = std::max(most, sidecars);
    } else {
      most = std::max(most, own + sidecars);
    }
  }
  return std::max(most, containers + sidecars) + amount(spec["overhead"], name);
}

bool tolerated(const Value& pod, const Value& taint) {
  for (const Value& t : pod["spec"]["tolerations"].items()) {
    const bool key = !t.has("key") || t["key"] == taint["key"];
    const bool effect = !t.has("effect") || t["effect"] == taint["effect"];
    const bool value = t["operator"] == Value("Exists") || t["value"] == taint["value"];
    if (key && effect && value) return true;
  }
  return false;
}

bool selected(const Value& pod, const Value& node) {
  const Value& labels = node["metadata"]["labels"];
  for (const Member& m : pod["spec"]["nodeSelector"].members())
    if (!(labels[m.name()] == m.value)) return false;
  const Value& required = pod["spec"].path({"affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"});
  if (required.is_null()) return true;
  for (const Value& term : required["nodeSelectorTerms"].items()) {
    bool all = true;
    for (const Value& e : term["matchExpressions"].items()) {
      bool listed = false;
      for (const Value& v : e["values"].items()) listed |= labels[e["key"].as_string()] == v;
      const std::string_view op = e["operator"].as_string();
      all &= op == "In" ? listed : op == "NotIn" ? !listed : op == "Exists" ? labels.has(e["key"].as_string())
                                                                            : !labels.has(e["key"].as_string());
    }
    for (const Value& f : term["matchFields"].items()) all &= f["values"].at(0) == node["metadata"]["name"];
    if (all) return true;
  }
  return false;
}

bool ports_free(const Value& pod, const std::vector<Value>& others) {
  for (const Value& other : others)
    for (const Value& a : pod["spec"]["containers"].at(0)["ports"].items())
      for (const Value& b : other["spec"]["containers"].at(0)["ports"].items())
        if (a["hostPort"] == b["hostPort"] && a["protocol"] == b["protocol"]) return false;
  return true;
}

bool feasible(const Value& pod, const Value& node, const std::vector<Value>& others) {
  const Value cordon = yaml("{key: node.kubernetes.io/unschedulable, effect: NoSchedule}");
  if (node["spec"]["unschedulable"].as_bool() && !tolerated(pod, cordon)) return false;
  for (const Value& taint : node["spec"]["taints"].items())
    if (!(taint["effect"] == Value("PreferNoSchedule")) && !tolerated(pod, taint)) return false;
  if (!selected(pod, node) || !ports_free(pod, others)) return false;
  const Value& allocatable = node["status"]["allocatable"];
  if (static_cast<double>(others.size()) + 1 > amount(allocatable, "pods")) return false;
  for (std::string_view name : {"cpu", "memory", "example.com/gpu"}) {
    const double own = wanted(pod, name);
    double used = 0;
    for (const Value& other : others) used += wanted(other, name);
    if (own > 0 && used + own > amount(allocatable, name) + 1e-6) return false;
  }
  return true;
}

// ---- The world

struct World {
  SeededRandom random;
  explicit World(uint64_t seed) : random(seed) {}
  bool chance(uint64_t one_in) { return random.below(one_in) == 0; }
  std::string letter() { return std::string(1, static_cast<char>('a' + random.below(3))); }

  Value taint() {
    const char* effects[] = {"NoSchedule", "NoExecute", "PreferNoSchedule"};
    return Value::object({{"key", letter()}, {"value", letter()}, {"effect", effects[random.below(3)]}});
  }
  Value node(int number) {
    Value node = make_node("n" + std::to_string(number), std::to_string(1 + random.below(4)),
                           std::to_string(1 + random.below(8)) + "Gi", std::to_string(1 + random.below(8)));
    if (chance(3)) node = node.with_path({"status", "allocatable", "example.com/gpu"}, Value("2"));
    node = node.with_path({"metadata", "labels", "zone"}, Value(letter()));
    if (chance(3)) node = node.with_path({"metadata", "labels", "disk"}, Value(letter()));
    std::vector<Value> taints;
    while (chance(4)) taints.push_back(taint());
    if (!taints.empty()) node = node.with_path({"spec", "taints"}, Value::list(taints));
    if (chance(12)) node = node.with_path({"spec", "unschedulable"}, Value(true));
    return node;
  }
  Value requests() {
    ObjectBuilder requests;
    if (!chance(4)) requests.set("cpu", std::to_string(random.below(1500)) + "m");
    if (chance(2)) requests.set("memory", std::to_string(random.below(2000)) + "Mi");
    if (chance(6)) requests.set("example.com/gpu", std::to_string(random.below(3)));
    return Value::object({{"requests", std::move(requests).build()}});
  }
  Value expression() {
    const char* operators[] = {"In", "NotIn", "Exists", "DoesNotExist"};
    const size_t which = random.below(4);
    ObjectBuilder expression;
    expression.set("key", chance(2) ? "zone" : "disk").set("operator", operators[which]);
    if (which < 2) expression.set("values", Value::list({Value(letter()), Value(letter())}));
    return std::move(expression).build();
  }
  Value pod(int number) {
    ObjectBuilder spec;
    ObjectBuilder container;
    container.set("name", "main").set("resources", requests());
    if (chance(4))
      container.set("ports", Value::list({Value::object({{"hostPort", static_cast<int>(80 + random.below(3))},
                                                         {"protocol", chance(3) ? "UDP" : "TCP"}})}));
    spec.set("containers", Value::list({std::move(container).build()}));
    std::vector<Value> init;
    while (chance(3)) {
      Value one = Value::object({{"name", "i"}, {"resources", requests()}});
      init.push_back(chance(2) ? one.with("restartPolicy", "Always") : one);
    }
    if (!init.empty()) spec.set("initContainers", Value::list(init));
    if (chance(8)) spec.set("overhead", Value::object({{"cpu", "100m"}}));
    if (chance(4)) spec.set("nodeSelector", Value::object({{"zone", letter()}}));
    std::vector<Value> tolerations;
    while (chance(2)) {
      ObjectBuilder toleration;
      if (!chance(4)) toleration.set("key", letter());
      if (chance(2)) toleration.set("effect", chance(2) ? "NoSchedule" : "NoExecute");
      if (chance(2)) {
        toleration.set("operator", "Exists");
      } else {
        toleration.set("key", letter()).set("value", letter());
      }
      tolerations.push_back(std::move(toleration).build());
    }
    spec.set("tolerations", Value::list(tolerations));
    if (chance(4)) {
      std::vector<Value> terms;
      do {
        Value expressions = Value::list({expression(), expression()});
        terms.push_back(Value::object({{"matchExpressions", expressions}}));
      } while (chance(3));
      if (chance(4)) terms = {yaml("{matchFields: [{key: metadata.name, operator: In, values: [n3]}]}")};
      Value required = Value::object({{"nodeSelectorTerms", Value::list(terms)}});
      Value affinity = Value::object({{"requiredDuringSchedulingIgnoredDuringExecution", required}});
      spec.set("affinity", Value::object({{"nodeAffinity", affinity}}));
    }
    return make_pod("p" + std::to_string(number), "", "", std::move(spec).build());
  }
};

}  // namespace

TEST_CASE("A pod gets a node exactly when one is feasible, and only a feasible one") {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    World world(seed);
    SeededRandom random(seed);
    ClusterState cluster;
    Placer placer;
    std::map<std::string, Value> nodes;
    std::map<std::string, std::vector<Value>> placed;
    const int size = 1 + static_cast<int>(world.random.below(12));
    for (int i = 0; i < 60; ++i) {
      if (i < size || world.chance(10)) {  // new nodes, later changed ones
        Value node = world.node(static_cast<int>(i < size ? static_cast<uint64_t>(i) : world.random.below(static_cast<uint64_t>(size))));
        nodes[std::string(node["metadata"]["name"].as_string())] = node;
        cluster.put_node(node);
      }
      const Value pod = world.pod(i);
      PodPtr info = parse_pod(pod);
      Decision decision = placer.place(cluster, *info, random);
      if (auto* placement = std::get_if<Placement>(&decision)) {
        const std::string name = placement->node->name;
        INFO("pod " << i << " on " << name);
        REQUIRE(feasible(pod, nodes.at(name), placed[name]));
        placed[name].push_back(pod);
        cluster.assume(info, *placement->node);
        if (world.chance(2)) cluster.put_pod(parse_pod(on_node(pod, name)));  // seen to be bound
        if (world.chance(3)) {                                                // or gone again
          auto& there = placed[name];
          const size_t which = world.random.below(there.size());
          const std::string uid(there[which]["metadata"]["uid"].as_string());
          if (cluster.is_assumed(uid)) {
            cluster.forget(uid);
          } else {
            cluster.remove_pod(uid);
          }
          there.erase(there.begin() + static_cast<std::ptrdiff_t>(which));
        }
      } else {
        for (const auto& [name, node] : nodes) {
          INFO("pod " << i << ": " << std::get<FitError>(decision).message << " node " << name);
          REQUIRE_FALSE(feasible(pod, node, placed[name]));
        }
      }
    }
    // What is counted is what is there.
    for (const auto& [name, node] : nodes) {
      double cpu = 0, memory = 0;
      for (const Value& pod : placed[name]) {
        cpu += wanted(pod, "cpu");
        memory += wanted(pod, "memory");
      }
      const NodeInfo* info = cluster.node(name);
      REQUIRE(info);
      CHECK(info->pods.size() == placed[name].size());
      CHECK(std::abs(static_cast<double>(info->requested.cpu_milli) / 1000 - cpu) < 1e-6);
      CHECK(std::abs(static_cast<double>(info->requested.memory) - memory) < 1);
    }
  }
}

TEST_CASE("Taking every pod away leaves nothing behind") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    World world(seed);
    ClusterState cluster;
    cluster.put_node(world.node(0));
    std::vector<std::string> uids;
    for (int i = 0; i < 20; ++i) {
      PodPtr pod = parse_pod(on_node(world.pod(i), "n0"));
      uids.push_back(pod->uid);
      cluster.put_pod(pod);
    }
    while (!uids.empty()) {
      const size_t which = world.random.below(uids.size());
      CHECK(cluster.remove_pod(uids[which]) == event::pod_removed);
      CHECK(cluster.remove_pod(uids[which]) == 0);
      uids.erase(uids.begin() + static_cast<std::ptrdiff_t>(which));
    }
    const NodeInfo* node = cluster.node("n0");
    REQUIRE(node);
    CHECK(node->requested.is_zero());
    CHECK(node->scored_cpu_milli == 0);
    CHECK(node->scored_memory == 0);
    CHECK(node->used_ports.empty());
    CHECK(node->pods.empty());
  }
}
