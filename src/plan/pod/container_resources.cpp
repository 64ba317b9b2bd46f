// Requests and limits as linux.resources (kubelet's conversions) and the OOM killer's score.

#include "plan/pod/container_resources.h"

#include <algorithm>

#include "data/quantity.h"

namespace orch::plan::pod {

namespace {

constexpr int64_t period = 100'000, least_quota = 1000;

struct Amounts {
  int64_t cpu_request = 0, cpu_limit = 0;  // thousandths
  int64_t memory_limit = 0;                // bytes
};

Amounts amounts_of(const Value& resources) {
  Amounts amounts;
  const Value& limits = resources["limits"];
  const Value& requests = resources["requests"];
  amounts.cpu_limit = Quantity::from(limits["cpu"]).milli_value();
  amounts.cpu_request = Quantity::from(requests["cpu"].is_null() ? limits["cpu"] : requests["cpu"]).milli_value();
  amounts.memory_limit = Quantity::from(limits["memory"]).value();
  return amounts;
}

Value resources_value(const Amounts& amounts) {
  ObjectBuilder cpu;
  // MilliCPUToShares: 2 is the least there is.
  cpu.set("shares", std::clamp<int64_t>(amounts.cpu_request * 1024 / 1000, 2, 262144));
  if (amounts.cpu_limit > 0) cpu.set("quota", std::max(least_quota, amounts.cpu_limit * period / 1000)).set("period", period);
  ObjectBuilder resources;
  resources.set("cpu", std::move(cpu).build());
  if (amounts.memory_limit > 0) resources.set("memory", Value::object({{"limit", amounts.memory_limit}, {"swap", amounts.memory_limit}}));
  return std::move(resources).build();
}

}  // namespace

Value container_resources(const Value& resources) { return resources_value(amounts_of(resources)); }

Value pod_resources(const PodView& pod) {
  Amounts sum;
  bool all_cpu = true, all_memory = true;
  int64_t most_init_memory = 0, most_init_cpu = 0;
  for (const ContainerView& container : pod.containers()) {
    if (container.kind == ContainerKind::ephemeral) continue;
    const Amounts amounts = amounts_of(container.spec["resources"]);
    all_cpu &= amounts.cpu_limit > 0;
    all_memory &= amounts.memory_limit > 0;
    if (container.kind == ContainerKind::init) {
      most_init_memory = std::max(most_init_memory, amounts.memory_limit);
      most_init_cpu = std::max(most_init_cpu, amounts.cpu_limit);
      continue;
    }
    sum.cpu_request += amounts.cpu_request;
    sum.cpu_limit += amounts.cpu_limit;
    sum.memory_limit += amounts.memory_limit;
  }
  sum.cpu_limit = all_cpu ? std::max(sum.cpu_limit, most_init_cpu) : 0;
  sum.memory_limit = all_memory ? std::max(sum.memory_limit, most_init_memory) : 0;
  return resources_value(sum);
}

int64_t oom_score_adj(const PodView& pod, const ContainerView& container, const Value& allocatable) {
  if (pod.qos() == QosClass::guaranteed) return -997;
  if (pod.qos() == QosClass::best_effort) return 1000;
  const Value& resources = container.spec["resources"];
  const Value& set = resources["requests"]["memory"].is_null() ? resources["limits"]["memory"] : resources["requests"]["memory"];
  const int64_t capacity = Quantity::from(allocatable["memory"]).value();
  if (capacity <= 0) return 999;
  const double share = static_cast<double>(Quantity::from(set).value()) / static_cast<double>(capacity);
  return std::clamp<int64_t>(1000 - static_cast<int64_t>(1000 * share), 3, 999);
}

}  // namespace orch::plan::pod
