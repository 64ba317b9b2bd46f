#include "agent/admission.h"

#include "data/quantity.h"
#include "plan/core/object.h"
#include "plan/sched/pod_info.h"

namespace orch::agent {

using plan::pod::Rejection;
namespace sched = plan::sched;

namespace {

Rejection failed_predicate(std::string_view name, std::string_view why) {
  return {std::string(name), "Predicate " + std::string(name) + " failed: " + std::string(why)};
}

std::optional<Rejection> compare(std::string_view resource, int64_t requested, int64_t used, int64_t capacity) {
  if (requested <= 0 || requested <= capacity - used) return std::nullopt;
  return Rejection{"OutOf" + std::string(resource),
                   "Node didn't have enough resource: " + std::string(resource) + ", requested: " + std::to_string(requested) +
                       ", used: " + std::to_string(used) + ", capacity: " + std::to_string(capacity)};
}

std::optional<Rejection> check_resources(const sched::PodInfo& pod, const Value& allocatable,
                                         const std::vector<sched::PodPtr>& others) {
  const int64_t most_pods = Quantity::from(allocatable["pods"]).value();
  if (auto full = compare("pods", 1, static_cast<int64_t>(others.size()), most_pods)) return full;
  sched::Resources used;
  for (const auto& other : others) used.add(other->requests.exact);
  const sched::Resources has = sched::parse_resources(allocatable);
  const sched::Resources& wants = pod.requests.exact;
  if (auto no = compare("cpu", wants.cpu_milli, used.cpu_milli, has.cpu_milli)) return no;
  if (auto no = compare("memory", wants.memory, used.memory, has.memory)) return no;
  if (auto no = compare("ephemeral-storage", wants.ephemeral_storage, used.ephemeral_storage, has.ephemeral_storage)) return no;
  for (const sched::Scalar& scalar : wants.scalars)
    if (auto no = compare(scalar.name, scalar.amount, used.scalar(scalar.name), has.scalar(scalar.name))) return no;
  return std::nullopt;
}

bool is_untolerated(const sched::PodInfo& pod, const Value& node) {
  for (const sched::Taint& taint : sched::parse_taints(node["spec"]["taints"]))
    if (taint.effect == sched::Effect::no_execute && !sched::tolerates(pod.tolerations, taint)) return true;
  return false;
}

}  // namespace

std::optional<Rejection> admit(const Value& pod, const Value& node, const std::vector<Value>& others) {
  sched::PodPtr info = sched::parse_pod(pod);
  std::vector<sched::PodPtr> infos;
  for (const Value& other : others) infos.push_back(sched::parse_pod(other));
  if (auto no = check_resources(*info, node["status"]["allocatable"], infos)) return no;
  if (!info->wishes.matches(plan::name_of(node), plan::labels_of(node)))
    return failed_predicate("NodeAffinity", "node(s) didn't match Pod's node affinity/selector");
  for (const auto& other : infos)
    for (const sched::HostPort& port : info->host_ports)
      for (const sched::HostPort& taken : other->host_ports)
        if (sched::collide(port, taken))
          return failed_predicate("NodePorts", "node(s) didn't have free ports for the requested pod ports");
  if (is_untolerated(*info, node))
    return failed_predicate("TaintToleration", "node(s) had untolerated taint(s)");
  return std::nullopt;
}

}  // namespace orch::agent
