#pragma once
// Discovery documents, made of the kinds that are served: the legacy ones (APIVersions,
// APIGroupList, APIGroup, APIResourceList) and the aggregated one (APIGroupDiscoveryList v2 and
// v2beta1). kubectl takes short names, categories, verbs and scope from them.
//
// Pure: the caller hands over what is served (the registry's group versions, and those of custom
// kinds, in any order) and caches the result.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/value.h"
#include "schema/graph.h"

namespace orch::schema {

using GroupVersion = Registry::GroupVersion;

// What a subresource is served as, for discovery and OpenAPI.
struct ServedSubresource {
  std::string_view name;
  std::string group, version, kind;
  std::span<const std::string_view> verbs;
};
ServedSubresource served_subresource(const Kind& owner, const Subresource& subresource);

// In the order of `kubectl api-versions` before sorting: groups by importance, then by name; the
// versions of a group from the preferred one down (v2, v1, v1beta1). The legacy group comes first.
std::vector<const GroupVersion*> sorted_group_versions(std::span<const GroupVersion> served);

Value discover_versions(std::string_view server_address);     // GET /api
Value discover_groups(std::span<const GroupVersion> served);  // GET /apis, legacy
// GET /apis/<group>; nullopt where there is none.
std::optional<Value> discover_group(std::span<const GroupVersion> served, std::string_view group);
// GET /api/v1, /apis/<group>/<version>.
std::optional<Value> discover_resources(std::span<const GroupVersion> served,
                                        std::string_view group, std::string_view version);

// GET /api (legacy_group) or /apis with
// `Accept: application/json;g=apidiscovery.k8s.io;v=<version>;as=APIGroupDiscoveryList`,
// version being v2 or v2beta1.
Value discover_aggregated(std::span<const GroupVersion> served, bool legacy_group,
                          std::string_view version);

}  // namespace orch::schema
