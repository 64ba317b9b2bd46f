#include "plan/net/assembly.h"

#include <algorithm>

namespace orch::plan::net {

std::optional<Element> Assembly::effective(const ElementId& id) const {
  auto found = claims_.find(id);
  if (found == claims_.end()) return std::nullopt;
  return Element{id.first, id.second, found->second.begin()->second};
}

void Assembly::touch(const ElementId& id) {
  if (!touched_.contains(id)) touched_.emplace(id, effective(id));
}

void Assembly::put(const std::string& owner, Fragment fragment) {
  static const Fragment none;
  auto found = fragments_.find(owner);
  const Fragment& old = found == fragments_.end() ? none : found->second;
  if (old == fragment) return;
  for (const Element& element : old.elements) {
    const ElementId id{element.set, element.key};
    touch(id);
    auto claims = claims_.find(id);
    if (claims == claims_.end()) continue;  // named twice
    claims->second.erase(owner);
    if (claims->second.empty()) claims_.erase(claims);
  }
  for (const Element& element : fragment.elements) {
    const ElementId id{element.set, element.key};
    touch(id);
    claims_[id].emplace(owner, element.verdict);
  }
  if (!before_.contains(owner)) {
    Fragment kept;  // elements are in touched_
    kept.sets = old.sets;
    kept.chains = old.chains;
    before_.emplace(owner, std::move(kept));
  }
  if (fragment == none) {
    fragments_.erase(owner);
  } else {
    fragments_.insert_or_assign(owner, std::move(fragment));
  }
}

Changes Assembly::take_changes() {
  static const Fragment none;
  Changes changes;
  changes.table = table_;
  for (const auto& [owner, before] : before_) {
    auto found = fragments_.find(owner);
    const Fragment& now = found == fragments_.end() ? none : found->second;
    Ruleset from, to;
    from.sets = before.sets;
    from.chains = before.chains;
    to.sets = now.sets;
    to.chains = now.chains;
    Changes own = diff(from, to);
    auto move_to = [](auto& target, auto& source) {
      target.insert(target.end(), std::make_move_iterator(source.begin()), std::make_move_iterator(source.end()));
    };
    move_to(changes.added_sets, own.added_sets);
    move_to(changes.added_chains, own.added_chains);
    move_to(changes.rules, own.rules);
    move_to(changes.removed_chains, own.removed_chains);
    move_to(changes.removed_sets, own.removed_sets);
  }
  for (const auto& [id, before] : touched_) {
    auto now = effective(id);
    if (now == before) continue;
    if (before) changes.removed_elements.push_back(*before);
    if (now) changes.added_elements.push_back(std::move(*now));
  }
  before_.clear();
  touched_.clear();
  return changes;
}

Ruleset Assembly::take_all() {
  Ruleset ruleset;
  ruleset.table = table_;
  for (const auto& [owner, fragment] : fragments_) {
    ruleset.sets.insert(fragment.sets.begin(), fragment.sets.end());
    ruleset.chains.insert(fragment.chains.begin(), fragment.chains.end());
  }
  for (const auto& [id, claims] : claims_) ruleset.elements[id.first][id.second] = claims.begin()->second;
  before_.clear();
  touched_.clear();
  return ruleset;
}

std::vector<std::string> Assembly::owners() const {
  std::vector<std::string> owners;
  for (const auto& [owner, fragment] : fragments_) owners.push_back(owner);
  std::sort(owners.begin(), owners.end());
  return owners;
}

}  // namespace orch::plan::net
