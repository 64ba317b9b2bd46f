#include "plan/sched/pod_info.h"

#include "plan/core/object.h"
#include "plan/core/pod.h"

namespace orch::plan::sched {

namespace {

void add_ports(const Value& container, std::vector<HostPort>& ports) {
  for (const Value& port : container["ports"].items()) {
    const int64_t number = port["hostPort"].as_int();
    if (number <= 0) continue;
    std::string_view ip = port["hostIP"].as_string(), protocol = port["protocol"].as_string();
    ports.push_back(HostPort{std::string(ip.empty() ? "0.0.0.0" : ip),
                             std::string(protocol.empty() ? "TCP" : protocol), number});
  }
}

}  // namespace

bool collide(const HostPort& a, const HostPort& b) {
  if (a.port != b.port || a.protocol != b.protocol) return false;
  return a.ip == b.ip || a.ip == "0.0.0.0" || b.ip == "0.0.0.0";
}

PodPtr parse_pod(const Value& pod) {
  auto info = std::make_shared<PodInfo>();
  const Value& spec = pod["spec"];
  info->object = pod;
  info->ns = std::string(namespace_of(pod));
  info->name = std::string(name_of(pod));
  info->uid = std::string(uid_of(pod));
  info->node_name = std::string(spec["nodeName"].as_string());
  info->scheduler = std::string(spec["schedulerName"].as_string());
  info->priority = spec["priority"].as_int();
  info->gated = !spec["schedulingGates"].empty();
  info->never_preempts = spec["preemptionPolicy"].as_string() == "Never";
  info->deleting = is_deleting(pod);
  info->finished = is_pod_finished(pod);
  info->requests = pod_requests(spec);
  for (const Value& container : spec["containers"].items()) add_ports(container, info->host_ports);
  for (const Value& container : spec["initContainers"].items())
    if (container["restartPolicy"].as_string() == "Always") add_ports(container, info->host_ports);
  info->tolerations = parse_tolerations(spec["tolerations"]);
  info->wishes = parse_node_wishes(spec);
  return info;
}

bool is_same_to_scheduler(const Value& old, const Value& now) {
  return uid_of(old) == uid_of(now) && old["spec"] == now["spec"] && labels_of(old) == labels_of(now) &&
         is_deleting(old) == is_deleting(now) && is_pod_finished(old) == is_pod_finished(now);
}

}  // namespace orch::plan::sched
