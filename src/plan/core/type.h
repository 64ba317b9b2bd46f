#pragma once
// Type: which kind of object, as the API addresses it. The built-in ones that reconcilers name are
// constants here; types that come from discovery (the garbage collector sees all of them) borrow
// their texts from whoever made them.

#include <string>
#include <string_view>

namespace orch::plan {

enum class Scope : unsigned char { cluster, namespaced };

struct Type {
  std::string_view group;  // "" is core
  std::string_view version;
  std::string_view resource;  // plural: "replicasets"
  std::string_view kind;
  Scope scope = Scope::namespaced;

  bool namespaced() const { return scope == Scope::namespaced; }
  // "apps/v1", "v1": the apiVersion of its objects.
  std::string api_version() const {
    return group.empty() ? std::string(version) : std::string(group) + "/" + std::string(version);
  }
  // "replicasets.apps", "pods": the name of the resource whatever the version.
  std::string id() const {
    return group.empty() ? std::string(resource) : std::string(resource) + "." + std::string(group);
  }
  // The same resource; versions of one resource show the same objects.
  bool same(const Type& other) const { return resource == other.resource && group == other.group; }
};

namespace types {
inline constexpr Type pods{"", "v1", "pods", "Pod"};
inline constexpr Type nodes{"", "v1", "nodes", "Node", Scope::cluster};
inline constexpr Type namespaces{"", "v1", "namespaces", "Namespace", Scope::cluster};
inline constexpr Type services{"", "v1", "services", "Service"};
inline constexpr Type endpoints{"", "v1", "endpoints", "Endpoints"};
inline constexpr Type config_maps{"", "v1", "configmaps", "ConfigMap"};
inline constexpr Type service_accounts{"", "v1", "serviceaccounts", "ServiceAccount"};
inline constexpr Type events{"", "v1", "events", "Event"};
inline constexpr Type replica_sets{"apps", "v1", "replicasets", "ReplicaSet"};
inline constexpr Type deployments{"apps", "v1", "deployments", "Deployment"};
inline constexpr Type leases{"coordination.k8s.io", "v1", "leases", "Lease"};
inline constexpr Type endpoint_slices{"discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"};
}  // namespace types

}  // namespace orch::plan
