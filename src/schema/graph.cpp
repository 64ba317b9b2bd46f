#include "schema/graph.h"

#include <algorithm>

namespace orch::schema {

const Field* Type::find(std::string_view field) const {
  auto place = std::ranges::lower_bound(index, field, {}, &Entry::name);
  return place != index.end() && place->name == field ? place->field : nullptr;
}

std::string Type::openapi_name() const {
  // "k8s.io.api.apps.v1" is published as "io.k8s.api.apps.v1".
  std::string prefix = package;
  if (prefix.starts_with("k8s.io.")) prefix = "io.k8s." + prefix.substr(7);
  return prefix + "." + name;
}

const Subresource* Kind::subresource(std::string_view wanted) const {
  auto found = std::ranges::find(subresources, wanted, &Subresource::name);
  return found != subresources.end() ? &*found : nullptr;
}

namespace {
template <class Map>
auto lookup(const Map& map, const std::string& key) -> typename Map::mapped_type {
  auto found = map.find(key);
  return found != map.end() ? found->second : nullptr;
}
std::string path_of(std::string_view a, std::string_view b, std::string_view c) {
  return std::string(a).append("/").append(b).append("/").append(c);
}
}  // namespace

const Kind* Registry::find_kind(std::string_view group, std::string_view version,
                                std::string_view kind) const {
  return lookup(kinds_by_name_, path_of(group, version, kind));
}

const Kind* Registry::find_resource(std::string_view group, std::string_view version,
                                    std::string_view plural) const {
  return lookup(kinds_by_resource_, path_of(group, version, plural));
}

const Type* Registry::find_type(std::string_view package, std::string_view name) const {
  return lookup(types_by_name_, std::string(package).append(".").append(name));
}

std::string_view Registry::package_of(std::string_view group, std::string_view version) const {
  for (const GroupVersion& gv : group_versions_) {
    if (gv.group == group && gv.version == version) return gv.package;
  }
  return {};
}

}  // namespace orch::schema
