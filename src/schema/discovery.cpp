#include "schema/discovery.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "data/hash.h"

namespace orch::schema {

namespace {

using Verbs = std::span<const std::string_view>;

constexpr std::array<std::string_view, 1> kCreate = {"create"};
constexpr std::array<std::string_view, 1> kGet = {"get"};
constexpr std::array<std::string_view, 1> kUpdate = {"update"};
constexpr std::array<std::string_view, 2> kCreateGet = {"create", "get"};
constexpr std::array<std::string_view, 3> kModify = {"get", "patch", "update"};
constexpr std::array<std::string_view, 5> kAny = {"create", "delete", "get", "patch", "update"};

// `kind`: "" is the owner's own kind; "*X" is <Owner>X in the owner's group.
struct SubresourceRow {
  std::string_view name, group, version, kind;
  Verbs verbs;
};

constexpr SubresourceRow kSubresources[] = {
    {"status", "", "", "", kModify},
    {"scale", "autoscaling", "v1", "Scale", kModify},
    {"log", "", "", "", kGet},
    {"exec", "", "", "*ExecOptions", kCreateGet},
    {"attach", "", "", "*AttachOptions", kCreateGet},
    {"portforward", "", "", "*PortForwardOptions", kCreateGet},
    {"proxy", "", "", "*ProxyOptions", kAny},
    {"eviction", "policy", "v1", "Eviction", kCreate},
    {"binding", "", "v1", "Binding", kCreate},
    {"ephemeralcontainers", "", "", "", kModify},
    {"resize", "", "", "", kModify},
    {"token", "authentication.k8s.io", "v1", "TokenRequest", kCreate},
    {"approval", "", "", "", kModify},
    {"finalize", "", "", "", kUpdate},
};

// Kubernetes' GroupPriorityMinimum of its own groups; others have 1000.
struct GroupPriority {
  std::string_view group;
  int priority;
};
constexpr GroupPriority kGroupPriorities[] = {
    {"", 100000},
    {"apiregistration.k8s.io", 18000},
    {"apps", 17800},
    {"events.k8s.io", 17750},
    {"authentication.k8s.io", 17700},
    {"authorization.k8s.io", 17600},
    {"autoscaling", 17500},
    {"batch", 17400},
    {"certificates.k8s.io", 17300},
    {"networking.k8s.io", 17200},
    {"policy", 17100},
    {"rbac.authorization.k8s.io", 17000},
    {"storage.k8s.io", 16800},
    {"apiextensions.k8s.io", 16700},
    {"admissionregistration.k8s.io", 16700},
    {"scheduling.k8s.io", 16600},
    {"coordination.k8s.io", 16500},
    {"node.k8s.io", 16300},
    {"discovery.k8s.io", 16200},
    {"flowcontrol.apiserver.k8s.io", 16100},
    {"metrics.k8s.io", 100},
};

int group_priority(std::string_view group) {
  auto row = std::ranges::find(kGroupPriorities, group, &GroupPriority::group);
  return row != std::end(kGroupPriorities) ? row->priority : 1000;
}

// apimachinery's kube-aware order of versions: GA before beta before alpha, each from the highest
// number down; what is no such version comes last, by name.
struct VersionRank {
  int stage = 0;  // 3 GA, 2 beta, 1 alpha, 0 none
  int64_t major = 0, minor = 0;
  auto operator<=>(const VersionRank&) const = default;
};

VersionRank rank_of(std::string_view version) {
  if (!version.starts_with('v')) return {};
  std::string_view rest = version.substr(1);
  size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
  auto major = parse_uint(rest.substr(0, digits));
  if (!major) return {};
  rest = rest.substr(digits);
  if (rest.empty()) return {3, static_cast<int64_t>(*major), 0};
  for (auto [word, stage] : {std::pair<std::string_view, int>{"beta", 2}, {"alpha", 1}}) {
    if (!rest.starts_with(word)) continue;
    auto minor = parse_uint(rest.substr(word.size()));
    if (minor) return {stage, static_cast<int64_t>(*major), static_cast<int64_t>(*minor)};
  }
  return {};
}

bool comes_before(const GroupVersion* a, const GroupVersion* b) {
  if (a->group != b->group) {
    int left = group_priority(a->group), right = group_priority(b->group);
    return left != right ? left > right : a->group < b->group;
  }
  VersionRank left = rank_of(a->version), right = rank_of(b->version);
  return left != right ? left > right : a->version < b->version;
}

std::string api_version_of(const GroupVersion& one) {
  return one.group.empty() ? one.version : one.group + "/" + one.version;
}

Value version_entry(const GroupVersion& one) {
  return Value::object({{"groupVersion", api_version_of(one)}, {"version", one.version}});
}

template <class Texts>
Value text_list(const Texts& texts) {
  std::vector<Value> items;
  for (const auto& text : texts) items.emplace_back(std::string_view(text));
  return Value::list(std::move(items));
}

Value sorted_verbs(const Kind& kind) {
  std::vector<std::string> verbs = kind.verbs;
  std::ranges::sort(verbs);
  return text_list(verbs);
}

// The first eight bytes of the SHA-256 of the stored kind's name, in base64.
std::string storage_version_hash(const Kind& kind) {
  std::string name = kind.group + "/" + kind.version + "/" + kind.kind;
  if (kind.stored_as) {
    name = kind.stored_as->group + "/" + kind.stored_as->version + "/" + kind.stored_as->kind;
  }
  std::string hex = sha256_hex(name);
  std::string bytes;
  for (size_t i = 0; i < 16; i += 2) {
    auto digit = [&](size_t at) { return hex[at] <= '9' ? hex[at] - '0' : hex[at] - 'a' + 10; };
    bytes.push_back(static_cast<char>(digit(i) * 16 + digit(i + 1)));
  }
  return encode_base64(bytes);
}

Value legacy_resource(const Kind& kind) {
  ObjectBuilder out;
  out.set("name", kind.plural);
  out.set("singularName", kind.singular);
  out.set("namespaced", kind.namespaced);
  out.set("kind", kind.kind);
  out.set("verbs", sorted_verbs(kind));
  out.set_if("shortNames", text_list(kind.short_names));
  out.set_if("categories", text_list(kind.categories));
  if (std::ranges::find(kind.verbs, "watch") != kind.verbs.end()) {
    out.set("storageVersionHash", storage_version_hash(kind));
  }
  return std::move(out).build();
}

Value legacy_subresource(const Kind& kind, const Subresource& subresource) {
  ServedSubresource served = served_subresource(kind, subresource);
  ObjectBuilder out;
  out.set("name", kind.plural + "/" + std::string(served.name));
  out.set("singularName", "");
  out.set("namespaced", kind.namespaced);
  out.set("kind", served.kind);
  out.set("verbs", text_list(served.verbs));
  // Only what differs from the list's own group and version is said.
  if (served.group != kind.group || served.version != kind.version) {
    out.set_if("group", served.group);
    out.set("version", served.version);
  }
  return std::move(out).build();
}

Value response_kind(std::string_view group, std::string_view version, std::string_view kind) {
  return Value::object({{"group", group}, {"version", version}, {"kind", kind}});
}

std::vector<const Kind*> kinds_by_resource(const GroupVersion& one) {
  std::vector<const Kind*> kinds = one.kinds;
  std::ranges::sort(kinds, {}, &Kind::plural);
  return kinds;
}

std::vector<const Subresource*> subresources_by_name(const Kind& kind) {
  std::vector<const Subresource*> out;
  for (const Subresource& one : kind.subresources) out.push_back(&one);
  std::ranges::sort(out, {}, &Subresource::name);
  return out;
}

Value aggregated_resource(const Kind& kind) {
  std::vector<Value> subresources;
  for (const Subresource* one : subresources_by_name(kind)) {
    ServedSubresource served = served_subresource(kind, *one);
    subresources.push_back(
        Value::object({{"subresource", served.name},
                       {"responseKind", response_kind(served.group, served.version, served.kind)},
                       {"verbs", text_list(served.verbs)}}));
  }
  ObjectBuilder out;
  out.set("resource", kind.plural);
  out.set("responseKind", response_kind(kind.group, kind.version, kind.kind));
  out.set("scope", kind.namespaced ? "Namespaced" : "Cluster");
  out.set("singularResource", kind.singular);
  out.set("verbs", sorted_verbs(kind));
  out.set_if("shortNames", text_list(kind.short_names));
  out.set_if("categories", text_list(kind.categories));
  out.set_if("subresources", Value::list(std::move(subresources)));
  return std::move(out).build();
}

Value aggregated_version(const GroupVersion& one) {
  std::vector<Value> resources;
  for (const Kind* kind : kinds_by_resource(one)) resources.push_back(aggregated_resource(*kind));
  return Value::object({{"version", one.version},
                        {"resources", Value::list(std::move(resources))},
                        {"freshness", "Current"}});
}

Value group_document(std::string_view group, const std::vector<const GroupVersion*>& sorted) {
  std::vector<Value> versions;
  for (const GroupVersion* one : sorted) {
    if (one->group == group) versions.push_back(version_entry(*one));
  }
  Value preferred = versions.empty() ? Value(nullptr) : versions.front();
  return Value::object({{"name", group},
                        {"versions", Value::list(std::move(versions))},
                        {"preferredVersion", preferred}});
}

}  // namespace

ServedSubresource served_subresource(const Kind& owner, const Subresource& subresource) {
  auto row = std::ranges::find(kSubresources, subresource.name, &SubresourceRow::name);
  bool known = row != std::end(kSubresources);
  ServedSubresource out{subresource.name, owner.group, owner.version, owner.kind,
                        known ? row->verbs : Verbs(kModify)};
  if (!subresource.kind.empty()) {
    out.group = subresource.group;
    out.version = subresource.version;
    out.kind = subresource.kind;
  } else if (known && row->kind.starts_with('*')) {
    out.kind = owner.kind + std::string(row->kind.substr(1));
  } else if (known && !row->kind.empty()) {
    out.group = row->group;
    out.version = row->version;
    out.kind = row->kind;
  }
  return out;
}

std::vector<const GroupVersion*> sorted_group_versions(std::span<const GroupVersion> served) {
  std::vector<const GroupVersion*> sorted;
  for (const GroupVersion& one : served) sorted.push_back(&one);
  std::ranges::stable_sort(sorted, comes_before);
  return sorted;
}

Value discover_versions(std::string_view server_address) {
  Value address = Value::object({{"clientCIDR", "0.0.0.0/0"}, {"serverAddress", server_address}});
  return Value::object({{"kind", "APIVersions"},
                        {"versions", Value::list({"v1"})},
                        {"serverAddressByClientCIDRs", Value::list({address})}});
}

Value discover_groups(std::span<const GroupVersion> served) {
  auto sorted = sorted_group_versions(served);
  std::vector<Value> groups;
  for (size_t i = 0; i < sorted.size(); ++i) {
    const std::string& group = sorted[i]->group;
    bool first = i == 0 || sorted[i - 1]->group != group;
    if (first && !group.empty()) groups.push_back(group_document(group, sorted));
  }
  return Value::object(
      {{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", Value::list(std::move(groups))}});
}

std::optional<Value> discover_group(std::span<const GroupVersion> served, std::string_view group) {
  if (group.empty() || std::ranges::find(served, group, &GroupVersion::group) == served.end()) {
    return std::nullopt;
  }
  return group_document(group, sorted_group_versions(served))
      .with("kind", "APIGroup")
      .with("apiVersion", "v1");
}

std::optional<Value> discover_resources(std::span<const GroupVersion> served,
                                        std::string_view group, std::string_view version) {
  auto one = std::ranges::find_if(
      served, [&](const GroupVersion& gv) { return gv.group == group && gv.version == version; });
  if (one == served.end()) return std::nullopt;
  std::vector<Value> resources;
  for (const Kind* kind : kinds_by_resource(*one)) {
    resources.push_back(legacy_resource(*kind));
    for (const Subresource* subresource : subresources_by_name(*kind)) {
      resources.push_back(legacy_subresource(*kind, *subresource));
    }
  }
  ObjectBuilder out;
  out.set("kind", "APIResourceList");
  if (!group.empty()) out.set("apiVersion", "v1");
  out.set("groupVersion", api_version_of(*one));
  out.set("resources", Value::list(std::move(resources)));
  return std::move(out).build();
}

Value discover_aggregated(std::span<const GroupVersion> served, bool legacy_group,
                          std::string_view version) {
  auto sorted = sorted_group_versions(served);
  std::vector<Value> items;
  for (size_t i = 0; i < sorted.size();) {
    const std::string& group = sorted[i]->group;
    std::vector<Value> versions;
    for (; i < sorted.size() && sorted[i]->group == group; ++i) {
      versions.push_back(aggregated_version(*sorted[i]));
    }
    if (group.empty() != legacy_group) continue;
    ObjectBuilder metadata;
    metadata.set("creationTimestamp", nullptr);
    metadata.set_if("name", group);
    items.push_back(Value::object({{"metadata", std::move(metadata).build()},
                                   {"versions", Value::list(std::move(versions))}}));
  }
  return Value::object({{"kind", "APIGroupDiscoveryList"},
                        {"apiVersion", std::string("apidiscovery.k8s.io/").append(version)},
                        {"metadata", Value::empty_object()},
                        {"items", Value::list(std::move(items))}});
}

}  // namespace orch::schema
