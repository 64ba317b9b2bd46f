#include "client/known_types.h"

#include <algorithm>

namespace orch::client {

namespace {

bool can(const schema::Kind& kind, std::string_view verb) {
  return kind.verbs.empty() || std::find(kind.verbs.begin(), kind.verbs.end(), verb) != kind.verbs.end();
}

}  // namespace

std::vector<plan::Snapshot::KnownType> known_types(const schema::Registry& registry) {
  std::vector<plan::Snapshot::KnownType> known;
  for (const auto& group_version : registry.group_versions()) {
    for (const schema::Kind* kind : group_version.kinds) {
      if (kind->plural.empty() || kind->stored_as || !can(*kind, "list") || !can(*kind, "watch")) continue;
      plan::Type type{kind->group, kind->version, kind->plural, kind->kind,
                      kind->namespaced ? plan::Scope::namespaced : plan::Scope::cluster};
      auto same = [&type](const auto& other) { return other.type.same(type); };
      if (std::any_of(known.begin(), known.end(), same)) continue;
      known.push_back({type, !type.same(plan::types::events), can(*kind, "delete")});
    }
  }
  return known;
}

}  // namespace orch::client
