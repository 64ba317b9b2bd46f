#pragma once
// What the server has: every resource with its names, from the discovery documents. Pure; session.h
// fetches them.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/value.h"

namespace orch::cli {

struct Resource {
  std::string group, version, kind;
  std::string plural, singular;
  bool namespaced = true;
  bool preferred = true;  // of the group's versions, the first that has this resource
  std::vector<std::string> verbs, short_names, categories, subresources;

  std::string api_version() const { return group.empty() ? version : group + "/" + version; }
  std::string qualified() const { return group.empty() ? plural : plural + "." + group; }
  // "deployment.apps": what stands before the name in messages and with -o name.
  std::string type_name() const;
  bool can(std::string_view verb) const;
  bool has_subresource(std::string_view name) const;
};

class ResourceMap {
 public:
  // Two APIGroupDiscoveryLists, of /api and /apis.
  static ResourceMap from_aggregated(const Value& core, const Value& groups);
  // Legacy APIResourceLists in the order of preference, `group_version` of each in it.
  static ResourceMap from_lists(const std::vector<Value>& lists);

  // "po", "pods", "Pod", "deployments.apps", "deployments.v1.apps"; null: no such resource.
  const Resource* find(std::string_view text) const;
  const Resource* find_kind(std::string_view api_version, std::string_view kind) const;
  std::vector<const Resource*> category(std::string_view name) const;
  const std::vector<Resource>& all() const { return all_; }

 private:
  void mark_preferred();
  std::vector<Resource> all_;
};

}  // namespace orch::cli
