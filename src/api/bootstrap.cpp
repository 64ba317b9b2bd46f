#include "api/bootstrap.h"

#include <arpa/inet.h>

#include "base/text.h"

namespace orch::api {

using client::Target;
using loop::fail;
using loop::Task;

namespace {

constexpr std::string_view kNamespaces[] = {"default", "kube-system", "kube-public", "kube-node-lease"};

struct SystemPriority {
  std::string_view name;
  int64_t value;
  std::string_view description;
};
constexpr SystemPriority kPriorities[] = {
    {"system-cluster-critical", 2'000'000'000, "For pods the cluster needs; they may move to another node."},
    {"system-node-critical", 2'000'001'000, "For pods their node needs; they must not move."},
};

// Creates the object where there is none; with a `field`, makes that of an existing one what it should be.
// It looks first: a Service that is there already would find its own address taken.
Task<void> ensure(client::ApiPort& port, Target target, Value object, std::string field) {
  client::WriteOptions options;
  auto found = co_await port.get(target).result();
  if (found.ok()) {
    if (field.empty()) co_return;
    Value patch = Value::object({{field, object[field]}});
    co_await port.patch(std::move(target), client::PatchType::merge, std::move(patch), std::move(options));
    co_return;
  }
  if (!found.error().is(Code::not_found)) co_await fail(std::move(found).error());
  target.name.clear();
  co_await port.create(std::move(target), std::move(object), std::move(options));
}

Value named(std::string_view kind, std::string_view version, std::string_view name, std::string_view ns) {
  ObjectBuilder metadata;
  metadata.set("name", name).set_if("namespace", ns);
  return Value::object({{"apiVersion", version}, {"kind", kind}, {"metadata", std::move(metadata).build()}});
}

Value kubernetes_service(const BootstrapOptions& options) {
  Value port = Value::object({{"name", "https"}, {"port", 443}, {"protocol", "TCP"}, {"targetPort", options.port}});
  std::string address = kubernetes_service_address(options.service_cidr);
  Value labels = Value::object({{"component", "apiserver"}, {"provider", "kubernetes"}});
  return named("Service", "v1", "kubernetes", "default")
      .with_path({"metadata", "labels"}, std::move(labels))
      .with("spec", Value::object({{"type", "ClusterIP"},
                                   {"clusterIP", address},
                                   {"clusterIPs", Value::list({Value(address)})},
                                   {"ports", Value::list({port})}}));
}

Value kubernetes_endpoints(const BootstrapOptions& options) {
  Value address = Value::object({{"ip", options.advertise_address}});
  Value port = Value::object({{"name", "https"}, {"port", options.port}, {"protocol", "TCP"}});
  Value subset = Value::object({{"addresses", Value::list({address})}, {"ports", Value::list({port})}});
  return named("Endpoints", "v1", "kubernetes", "default")
      .with_path({"metadata", "labels"}, Value::object({{"endpointslice.kubernetes.io/skip-mirror", "true"}}))
      .with("subsets", Value::list({subset}));
}

Value kubernetes_slice(const BootstrapOptions& options) {
  Value endpoint = Value::object({{"addresses", Value::list({Value(options.advertise_address)})},
                                  {"conditions", Value::object({{"ready", true}})}});
  Value port = Value::object({{"name", "https"}, {"port", options.port}, {"protocol", "TCP"}});
  return named("EndpointSlice", "discovery.k8s.io/v1", "kubernetes", "default")
      .with_path({"metadata", "labels"}, Value::object({{"kubernetes.io/service-name", "kubernetes"}}))
      .with("addressType", "IPv4")
      .with("endpoints", Value::list({endpoint}))
      .with("ports", Value::list({port}));
}

}  // namespace

std::string kubernetes_service_address(std::string_view service_cidr) {
  auto parts = split_once(service_cidr, '/');
  in_addr network{};
  if (!parts || inet_pton(AF_INET, std::string(parts->first).c_str(), &network) != 1) return {};
  in_addr first{htonl(ntohl(network.s_addr) + 1)};
  char buffer[INET_ADDRSTRLEN];
  return inet_ntop(AF_INET, &first, buffer, sizeof buffer);
}

Task<void> bootstrap(client::ApiPort& port, BootstrapOptions options) {
  for (std::string_view name : kNamespaces) {
    Target target{"", "v1", "namespaces", "", std::string(name), ""};
    co_await ensure(port, std::move(target), named("Namespace", "v1", name, ""), "");
  }
  for (const SystemPriority& priority : kPriorities) {
    Target target{"scheduling.k8s.io", "v1", "priorityclasses", "", std::string(priority.name), ""};
    Value object = named("PriorityClass", "scheduling.k8s.io/v1", priority.name, "")
                       .with("value", priority.value)
                       .with("description", priority.description);
    co_await ensure(port, std::move(target), std::move(object), "");
  }
  Target service{"", "v1", "services", "default", "kubernetes", ""};
  co_await ensure(port, std::move(service), kubernetes_service(options), "spec");
  // With the cable out there is only loopback, which no endpoint may be; the address comes with the next start.
  if (options.advertise_address.starts_with("127.") || options.advertise_address == "::1") co_return;
  Target endpoints{"", "v1", "endpoints", "default", "kubernetes", ""};
  co_await ensure(port, std::move(endpoints), kubernetes_endpoints(options), "subsets");
  Target slice{"discovery.k8s.io", "v1", "endpointslices", "default", "kubernetes", ""};
  co_await ensure(port, std::move(slice), kubernetes_slice(options), "endpoints");
}

}  // namespace orch::api
