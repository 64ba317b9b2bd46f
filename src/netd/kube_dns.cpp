#include "netd/kube_dns.h"

namespace orch::netd {

using client::Target;
using loop::Task;

namespace {

constexpr std::string_view ns = "kube-system", name = "kube-dns";

Value ports(bool with_target) {
  auto port = [&](std::string_view port_name, std::string_view protocol) {
    ObjectBuilder builder;
    builder.set("name", port_name).set("port", 53).set("protocol", protocol);
    if (with_target) builder.set("targetPort", 53);
    return std::move(builder).build();
  };
  return Value::list({port("dns", "UDP"), port("dns-tcp", "TCP")});
}

Value service(const KubeDnsOptions& options) {
  Value labels = Value::object({{"k8s-app", "kube-dns"}, {"kubernetes.io/cluster-service", "true"}, {"kubernetes.io/name", "CoreDNS"}});
  Value spec = Value::object({{"type", "ClusterIP"},
                              {"clusterIP", options.service_address},
                              {"clusterIPs", Value::list({Value(options.service_address)})},
                              {"internalTrafficPolicy", "Local"},  // each node answers its own pods
                              {"ports", ports(true)}});
  return Value::object({{"apiVersion", "v1"},
                        {"kind", "Service"},
                        {"metadata", Value::object({{"name", name}, {"namespace", ns}, {"labels", labels}})},
                        {"spec", spec}});
}

Value slice(const KubeDnsOptions& options) {
  Value owner = Value::object({{"apiVersion", "v1"}, {"kind", "Node"}, {"name", options.node}, {"uid", options.node_uid}});
  Value labels = Value::object({{"kubernetes.io/service-name", name}, {"endpointslice.kubernetes.io/managed-by", "orch"}});
  Value meta = Value::object({{"name", std::string(name) + "-" + options.node},
                              {"namespace", ns},
                              {"labels", labels},
                              {"ownerReferences", Value::list({owner})}});
  Value conditions = Value::object({{"ready", true}, {"serving", true}, {"terminating", false}});
  Value endpoint = Value::object({{"addresses", Value::list({Value(options.node_address)})},
                                  {"conditions", conditions},
                                  {"nodeName", options.node}});
  return Value::object({{"apiVersion", "discovery.k8s.io/v1"},
                        {"kind", "EndpointSlice"},
                        {"metadata", meta},
                        {"addressType", "IPv4"},
                        {"endpoints", Value::list({endpoint})},
                        {"ports", ports(false)}});
}

// Creates it, or gives an existing one the members that count.
Task<void> ensure(client::ApiPort& api, Target target, Value object, std::vector<std::string> members) {
  client::WriteOptions options;
  auto found = co_await api.get(target).result();
  if (!found.ok()) {
    if (!found.error().is(Code::not_found)) co_await loop::fail(std::move(found).error());
    target.name.clear();
    auto created = co_await api.create(target, object, options).result();
    if (!created.ok() && !created.error().is(Code::already_exists)) co_await loop::fail(std::move(created).error());
    co_return;
  }
  ObjectBuilder patch;
  for (const std::string& member : members)
    if ((*found)[member] != object[member]) patch.set(member, object[member]);
  const Value owners = object["metadata"]["ownerReferences"];
  if (!owners.is_null() && (*found)["metadata"]["ownerReferences"] != owners)
    patch.set("metadata", Value::object({{"ownerReferences", owners}}));
  if (patch.empty()) co_return;
  Value body = std::move(patch).build();
  co_await api.patch(target, client::PatchType::merge, body, options);
}

}  // namespace

Task<void> ensure_kube_dns(client::ApiPort& api, KubeDnsOptions options) {
  // An existing Service is its owner's: somebody may run another DNS behind it.
  Target service_target{"", "v1", "services", std::string(ns), std::string(name), ""};
  std::vector<std::string> nothing, members{"endpoints", "ports"};
  co_await ensure(api, service_target, service(options), nothing);
  Target slice_target{"discovery.k8s.io", "v1", "endpointslices", std::string(ns), std::string(name) + "-" + options.node, ""};
  co_await ensure(api, slice_target, slice(options), members);
}

}  // namespace orch::netd
