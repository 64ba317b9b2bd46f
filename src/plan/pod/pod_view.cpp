#include "plan/pod/pod_view.h"

#include <algorithm>

#include "plan/pod/probe_result.h"
#include "plan/pod/runtime_view.h"

namespace orch::plan::pod {

namespace {

constexpr size_t most_hostname_bytes = 63;  // as the kernel and RFC 1123 have it
constexpr int64_t default_grace_seconds = 30;

RestartPolicy parse_restart_policy(const Value& policy) {
  if (policy.as_string() == "Never") return RestartPolicy::never;
  if (policy.as_string() == "OnFailure") return RestartPolicy::on_failure;
  return RestartPolicy::always;
}

}  // namespace

PodView::PodView(Value pod) : pod_(std::move(pod)), restart_policy_(parse_restart_policy(spec()["restartPolicy"])) {
  for (const Value& container : spec()["initContainers"].items()) {
    bool sidecar = container["restartPolicy"].as_string() == "Always";
    // An init container that failed is tried again unless the pod says Never: Always means OnFailure here.
    RestartPolicy policy = restart_policy_ == RestartPolicy::never ? RestartPolicy::never : RestartPolicy::on_failure;
    containers_.push_back({container, sidecar ? ContainerKind::sidecar : ContainerKind::init,
                           sidecar ? RestartPolicy::always : policy});
  }
  for (const Value& container : spec()["containers"].items())
    containers_.push_back({container, ContainerKind::main, restart_policy_});
  for (const Value& container : spec()["ephemeralContainers"].items())
    containers_.push_back({container, ContainerKind::ephemeral, RestartPolicy::never});
}

const ContainerView* PodView::find(std::string_view container) const {
  auto at = std::ranges::find_if(containers_, [&](const ContainerView& c) { return c.name() == container; });
  return at == containers_.end() ? nullptr : &*at;
}

QosClass PodView::qos() const {
  std::string_view text = status()["qosClass"].as_string();
  if (text == "Guaranteed") return QosClass::guaranteed;
  return text == "Burstable" ? QosClass::burstable : QosClass::best_effort;
}

Duration PodView::grace_period() const {
  const Value& deletion = metadata()["deletionGracePeriodSeconds"];
  if (is_deleting() && deletion.is_int()) return std::chrono::seconds(std::max<int64_t>(deletion.as_int(), 0));
  return std::chrono::seconds(std::max<int64_t>(spec()["terminationGracePeriodSeconds"].as_int(default_grace_seconds), 0));
}

std::string PodView::hostname() const {
  if (host_network()) return "";
  std::string name(spec()["hostname"].as_string(this->name()));
  if (name.empty()) name = this->name();
  if (name.size() <= most_hostname_bytes) return name;
  name.resize(most_hostname_bytes);
  while (!name.empty() && (name.back() == '-' || name.back() == '.')) name.pop_back();
  return name;
}

std::string PodView::domainname(std::string_view cluster_domain) const {
  std::string_view subdomain = spec()["subdomain"].as_string();
  if (subdomain.empty()) return "";
  return std::string(subdomain) + "." + std::string(ns()) + ".svc." + std::string(cluster_domain);
}

std::string_view text_of(QosClass qos) {
  if (qos == QosClass::guaranteed) return "Guaranteed";
  return qos == QosClass::burstable ? "Burstable" : "BestEffort";
}

std::string cgroup_of(const PodView& pod) {
  std::string_view parent = pod.qos() == QosClass::guaranteed ? "guaranteed"
                            : pod.qos() == QosClass::burstable ? "burstable"
                                                               : "besteffort";
  return std::string(parent) + "/pod" + std::string(pod.uid());
}

std::string_view text_of(ProbeKind kind) {
  if (kind == ProbeKind::startup) return "startup";
  return kind == ProbeKind::liveness ? "liveness" : "readiness";
}

const ContainerRecord* SandboxRecord::newest(std::string_view name) const {
  const ContainerRecord* found = nullptr;
  for (const ContainerRecord& container : containers)
    if (container.name == name && (!found || container.attempt >= found->attempt)) found = &container;
  return found;
}

const ContainerRecord* SandboxRecord::find(std::string_view id) const {
  auto at = std::ranges::find_if(containers, [&](const ContainerRecord& c) { return c.id == id; });
  return at == containers.end() ? nullptr : &*at;
}

}  // namespace orch::plan::pod
