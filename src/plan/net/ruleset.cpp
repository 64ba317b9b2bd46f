#include "plan/net/ruleset.h"

namespace orch::plan::net {

std::string encode_key(std::initializer_list<KeyPart> parts) {
  std::string bytes;
  for (const KeyPart& part : parts) {
    if (auto* ip = std::get_if<Ip>(&part)) {
      bytes.append(reinterpret_cast<const char*>(ip->bytes.data()), 4);
    } else if (auto* protocol = std::get_if<uint8_t>(&part)) {
      bytes += static_cast<char>(*protocol);
      bytes.append(3, '\0');
    } else {
      const uint16_t port = std::get<uint16_t>(part);
      bytes += static_cast<char>(port >> 8);
      bytes += static_cast<char>(port & 0xff);
      bytes.append(2, '\0');
    }
  }
  return bytes;
}

namespace {

void diff_sets(const Ruleset& from, const Ruleset& to, Changes& changes) {
  for (const auto& [name, set] : from.sets)
    if (!to.sets.contains(name)) changes.removed_sets.push_back(name);
  for (const auto& [name, set] : to.sets)
    if (!from.sets.contains(name)) changes.added_sets.emplace_back(name, set);
}

void diff_chains(const Ruleset& from, const Ruleset& to, Changes& changes) {
  for (const auto& [name, chain] : from.chains)
    if (!to.chains.contains(name)) changes.removed_chains.push_back(name);
  for (const auto& [name, chain] : to.chains) {
    auto old = from.chains.find(name);
    if (old == from.chains.end()) changes.added_chains.emplace_back(name, chain.hook);
    const bool same = old == from.chains.end() ? chain.rules.empty() : old->second.rules == chain.rules;
    if (!same) changes.rules.emplace_back(name, chain.rules);
  }
}

void diff_elements(const Ruleset& from, const Ruleset& to, Changes& changes) {
  static const Ruleset::Elements none;
  auto in = [](const Ruleset& ruleset, const std::string& set) -> const Ruleset::Elements& {
    auto found = ruleset.elements.find(set);
    return found == ruleset.elements.end() ? none : found->second;
  };
  for (const auto& [set, elements] : from.elements) {
    if (!to.sets.contains(set)) continue;  // they go with it
    const auto& now = in(to, set);
    for (const auto& [key, verdict] : elements) {
      auto found = now.find(key);
      if (found == now.end() || found->second != verdict) changes.removed_elements.push_back({set, key, verdict});
    }
  }
  for (const auto& [set, elements] : to.elements) {
    const auto& before = in(from, set);
    for (const auto& [key, verdict] : elements) {
      auto found = before.find(key);
      if (found == before.end() || found->second != verdict) changes.added_elements.push_back({set, key, verdict});
    }
  }
}

}  // namespace

// Sets and base chains do not change under their name: neither has the kernel a way to.
Changes diff(const Ruleset& from, const Ruleset& to) {
  Changes changes;
  changes.table = to.table;
  diff_sets(from, to, changes);
  diff_chains(from, to, changes);
  diff_elements(from, to, changes);
  return changes;
}

void apply(Ruleset& ruleset, const Changes& changes) {
  ruleset.table = changes.table;
  for (const auto& [name, set] : changes.added_sets) ruleset.sets[name] = set;
  for (const auto& [name, hook] : changes.added_chains) ruleset.chains[name].hook = hook;
  for (const auto& [name, rules] : changes.rules) ruleset.chains[name].rules = rules;
  for (const Element& element : changes.removed_elements) {
    auto& elements = ruleset.elements[element.set];
    elements.erase(element.key);
    if (elements.empty()) ruleset.elements.erase(element.set);
  }
  for (const Element& element : changes.added_elements) ruleset.elements[element.set][element.key] = element.verdict;
  for (const std::string& name : changes.removed_chains) ruleset.chains.erase(name);
  for (const std::string& name : changes.removed_sets) {
    ruleset.sets.erase(name);
    ruleset.elements.erase(name);
  }
}

}  // namespace orch::plan::net
