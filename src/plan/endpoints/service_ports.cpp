#include "plan/endpoints/service_ports.h"

#include "data/selector.h"
#include "plan/core/object.h"
#include "plan/core/pod.h"

namespace orch::plan {

bool selects_pods(const Value& service) {
  const Value& spec = service["spec"];
  return !spec["selector"].empty() && spec["type"].as_string() != "ExternalName";
}

bool is_headless(const Value& service) { return service["spec"]["clusterIP"].as_string() == "None"; }

std::vector<Value> selected_pods(const Snapshot& snapshot, const Value& service) {
  LabelSelector selector = LabelSelector::from_map(service["spec"]["selector"]);
  std::vector<Value> pods;
  for (Value& pod : snapshot.list(types::pods, namespace_of(service)))
    if (selector.matches(labels_of(pod))) pods.push_back(std::move(pod));
  return pods;
}

bool has_endpoint(const Value& pod) {
  return !is_pod_finished(pod) && !pod["status"]["podIP"].as_string().empty();
}

namespace {

int64_t named_port(const Value& containers, std::string_view name, std::string_view protocol) {
  for (const Value& container : containers.items())
    for (const Value& port : container["ports"].items())
      if (port["name"].as_string() == name && port["protocol"].as_string("TCP") == protocol)
        return port["containerPort"].as_int();
  return 0;
}

// 0: the pod has no such port.
int64_t target_port(const Value& service_port, const Value& pod) {
  const Value& target = service_port["targetPort"];
  if (target.is_int() && target.as_int() != 0) return target.as_int();
  if (!target.is_string() || target.as_string().empty()) return service_port["port"].as_int();
  std::string_view protocol = service_port["protocol"].as_string("TCP");
  if (int64_t port = named_port(pod["spec"]["containers"], target.as_string(), protocol)) return port;
  std::vector<Value> sidecars;
  for (const Value& container : pod["spec"]["initContainers"].items())
    if (container["restartPolicy"].as_string() == "Always") sidecars.push_back(container);
  return named_port(Value::list(std::move(sidecars)), target.as_string(), protocol);
}

}  // namespace

Value ports_of_pod(const Value& service, const Value& pod) {
  std::vector<Value> ports;
  for (const Value& service_port : service["spec"]["ports"].items()) {
    const int64_t port = target_port(service_port, pod);
    if (port == 0) continue;
    ObjectBuilder builder;
    builder.set("name", service_port["name"].as_string());
    builder.set("protocol", service_port["protocol"].as_string("TCP"));
    builder.set("port", port);
    builder.set_if("appProtocol", service_port["appProtocol"]);
    ports.push_back(std::move(builder).build());
  }
  return Value::list(std::move(ports));
}

Value pod_reference(const Value& pod) {
  return Value::object({{"kind", "Pod"},
                        {"namespace", namespace_of(pod)},
                        {"name", name_of(pod)},
                        {"uid", uid_of(pod)}});
}

std::string_view host_name_in(const Value& service, const Value& pod) {
  const Value& spec = pod["spec"];
  return spec["subdomain"].as_string() == name_of(service) ? spec["hostname"].as_string() : std::string_view();
}

Value copied_labels(const Value& service) {
  constexpr std::string_view ours[] = {"kubernetes.io/service-name", "endpointslice.kubernetes.io/managed-by",
                                       "endpoints.kubernetes.io/managed-by", "service.kubernetes.io/headless"};
  Value labels = labels_of(service).is_object() ? labels_of(service) : Value::empty_object();
  for (std::string_view name : ours)
    if (labels.has(name)) labels = labels.without(name);
  return labels;
}

void services_of_pod(const Snapshot& snapshot, const Type&, const Value& old, const Value& now,
                     std::vector<ObjectKey>& keys) {
  const Value& pod = now.is_null() ? old : now;
  for (const Value& service : snapshot.list(types::services, namespace_of(pod))) {
    if (!selects_pods(service)) continue;
    LabelSelector selector = LabelSelector::from_map(service["spec"]["selector"]);
    const bool did = !old.is_null() && selector.matches(labels_of(old));
    const bool does = !now.is_null() && selector.matches(labels_of(now));
    if (did || does) keys.push_back(key_of(service));
  }
}

}  // namespace orch::plan
