#include "cli/discovery.h"

#include <algorithm>

#include "base/text.h"

namespace orch::cli {

namespace {

std::vector<std::string> texts(const Value& list) {
  std::vector<std::string> all;
  for (const Value& item : list.items()) all.emplace_back(item.as_string());
  return all;
}

bool contains(const std::vector<std::string>& all, std::string_view text) {
  return std::ranges::find(all, text) != all.end();
}

void add_aggregated(const Value& list, std::vector<Resource>& all) {
  for (const Value& group : list["items"].items()) {
    std::string group_name(group.path({"metadata", "name"}).as_string());
    for (const Value& version : group["versions"].items()) {
      for (const Value& entry : version["resources"].items()) {
        Resource resource;
        resource.group = group_name;
        resource.version = version["version"].as_string();
        resource.kind = entry.path({"responseKind", "kind"}).as_string();
        resource.plural = entry["resource"].as_string();
        resource.singular = entry["singularResource"].as_string();
        resource.namespaced = entry["scope"].as_string() == "Namespaced";
        resource.verbs = texts(entry["verbs"]);
        resource.short_names = texts(entry["shortNames"]);
        resource.categories = texts(entry["categories"]);
        for (const Value& sub : entry["subresources"].items()) {
          resource.subresources.emplace_back(sub["subresource"].as_string());
        }
        all.push_back(std::move(resource));
      }
    }
  }
}

}  // namespace

std::string Resource::type_name() const {
  std::string name = to_lower(kind);
  return group.empty() ? name : name + "." + group;
}

bool Resource::can(std::string_view verb) const { return contains(verbs, verb); }

bool Resource::has_subresource(std::string_view name) const { return contains(subresources, name); }

ResourceMap ResourceMap::from_aggregated(const Value& core, const Value& groups) {
  ResourceMap map;
  add_aggregated(core, map.all_);
  add_aggregated(groups, map.all_);
  map.mark_preferred();
  return map;
}

ResourceMap ResourceMap::from_lists(const std::vector<Value>& lists) {
  ResourceMap map;
  for (const Value& list : lists) {
    std::string_view group_version = list["groupVersion"].as_string();
    auto parts = split_once(group_version, '/');
    std::vector<std::pair<std::string, std::string>> subresources;
    const size_t first = map.all_.size();
    for (const Value& entry : list["resources"].items()) {
      std::string_view name = entry["name"].as_string();
      if (auto sub = split_once(name, '/')) {
        subresources.emplace_back(sub->first, sub->second);
        continue;
      }
      Resource resource;
      resource.group = parts ? parts->first : "";
      resource.version = parts ? parts->second : group_version;
      resource.kind = entry["kind"].as_string();
      resource.plural = name;
      resource.singular = entry["singularName"].as_string();
      resource.namespaced = entry["namespaced"].as_bool();
      resource.verbs = texts(entry["verbs"]);
      resource.short_names = texts(entry["shortNames"]);
      resource.categories = texts(entry["categories"]);
      map.all_.push_back(std::move(resource));
    }
    for (size_t i = first; i < map.all_.size(); ++i) {
      for (const auto& [plural, sub] : subresources) {
        if (map.all_[i].plural == plural) map.all_[i].subresources.push_back(sub);
      }
    }
  }
  map.mark_preferred();
  return map;
}

void ResourceMap::mark_preferred() {
  for (size_t i = 0; i < all_.size(); ++i) {
    auto earlier = std::find_if(all_.begin(), all_.begin() + static_cast<long>(i), [&](const Resource& r) {
      return r.group == all_[i].group && r.plural == all_[i].plural;
    });
    all_[i].preferred = earlier == all_.begin() + static_cast<long>(i);
    if (all_[i].singular.empty()) all_[i].singular = to_lower(all_[i].kind);
  }
}

namespace {

bool in_group(const Resource& resource, std::string_view suffix) {
  if (suffix.empty()) return resource.preferred;
  if (resource.group == suffix) return resource.preferred;
  std::string versioned = resource.version + "." + resource.group;
  if (resource.group.empty()) versioned = resource.version + ".";
  return versioned == suffix || (resource.group.empty() && resource.version == suffix);
}

}  // namespace

const Resource* ResourceMap::find(std::string_view text) const {
  std::string lower = to_lower(text);
  std::string_view name = lower, suffix;
  if (auto parts = split_once(name, '.')) {
    suffix = parts->second;
    name = parts->first;
  }
  for (const Resource& resource : all_) {
    if ((resource.plural == name || resource.singular == name || to_lower(resource.kind) == name) &&
        in_group(resource, suffix)) {
      return &resource;
    }
  }
  for (const Resource& resource : all_) {
    if (contains(resource.short_names, name) && in_group(resource, suffix)) return &resource;
  }
  return nullptr;
}

const Resource* ResourceMap::find_kind(std::string_view api_version, std::string_view kind) const {
  for (const Resource& resource : all_) {
    if (resource.kind == kind && resource.api_version() == api_version) return &resource;
  }
  return nullptr;
}

std::vector<const Resource*> ResourceMap::category(std::string_view name) const {
  std::vector<const Resource*> found;
  for (const Resource& resource : all_) {
    if (resource.preferred && contains(resource.categories, name) && resource.can("list")) {
      found.push_back(&resource);
    }
  }
  return found;
}

}  // namespace orch::cli
