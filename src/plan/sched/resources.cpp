#include "plan/sched/resources.h"

#include <algorithm>

#include "data/quantity.h"

namespace orch::plan::sched {

namespace {

constexpr int64_t scored_cpu_milli_default = 100;
constexpr int64_t scored_memory_default = int64_t{200} * 1024 * 1024;

bool is_scalar_name(std::string_view name) {
  return name.find('/') != name.npos || name.starts_with("hugepages-") || name.starts_with("attachable-volumes-");
}

// A container's requests; where `defaults`, cpu and memory that it leaves out are assumed.
Resources container_requests(const Value& container, bool defaults) {
  const Value& requests = container["resources"]["requests"];
  Resources resources = parse_resources(requests);
  if (defaults && !requests.has("cpu")) resources.cpu_milli = scored_cpu_milli_default;
  if (defaults && !requests.has("memory")) resources.memory = scored_memory_default;
  return resources;
}

Resources sum_up(const Value& spec, bool defaults) {
  Resources together;
  for (const Value& container : spec["containers"].items()) together.add(container_requests(container, defaults));
  Resources sidecars, start;
  for (const Value& container : spec["initContainers"].items()) {
    Resources own = container_requests(container, defaults);
    if (container["restartPolicy"].as_string() == "Always") {
      together.add(own);
      sidecars.add(own);
      own = sidecars;
    } else {
      own.add(sidecars);
    }
    start.raise_to(own);
  }
  together.raise_to(start);
  together.add(parse_resources(spec["overhead"]));
  return together;
}

}  // namespace

int64_t& Resources::scalar_at(const std::string& name) {
  for (Scalar& scalar : scalars)
    if (scalar.name == name) return scalar.amount;
  return scalars.emplace_back(Scalar{name, 0}).amount;
}

int64_t Resources::scalar(std::string_view name) const {
  for (const Scalar& known : scalars)
    if (known.name == name) return known.amount;
  return 0;
}

void Resources::change(const Resources& other, int64_t sign) {
  cpu_milli += sign * other.cpu_milli;
  memory += sign * other.memory;
  ephemeral_storage += sign * other.ephemeral_storage;
  for (const Scalar& theirs : other.scalars) scalar_at(theirs.name) += sign * theirs.amount;
}

void Resources::raise_to(const Resources& other) {
  cpu_milli = std::max(cpu_milli, other.cpu_milli);
  memory = std::max(memory, other.memory);
  ephemeral_storage = std::max(ephemeral_storage, other.ephemeral_storage);
  for (const Scalar& theirs : other.scalars) {
    int64_t& ours = scalar_at(theirs.name);
    ours = std::max(ours, theirs.amount);
  }
}

bool Resources::is_zero() const {
  if (cpu_milli != 0 || memory != 0 || ephemeral_storage != 0) return false;
  return std::all_of(scalars.begin(), scalars.end(), [](const Scalar& s) { return s.amount == 0; });
}

Resources parse_resources(const Value& quantities) {
  Resources resources;
  for (const Member& member : quantities.members()) {
    std::string_view name = member.name();
    if (name == "cpu") {
      resources.cpu_milli = Quantity::from(member.value).milli_value();
    } else if (name == "memory") {
      resources.memory = Quantity::from(member.value).value();
    } else if (name == "ephemeral-storage") {
      resources.ephemeral_storage = Quantity::from(member.value).value();
    } else if (is_scalar_name(name)) {
      resources.scalars.push_back(Scalar{std::string(name), Quantity::from(member.value).value()});
    }
  }
  return resources;
}

PodRequests pod_requests(const Value& pod_spec) {
  PodRequests requests;
  requests.exact = sum_up(pod_spec, false);
  Resources scored = sum_up(pod_spec, true);
  requests.scored_cpu_milli = scored.cpu_milli;
  requests.scored_memory = scored.memory;
  return requests;
}

}  // namespace orch::plan::sched
