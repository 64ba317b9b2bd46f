#pragma once
// Assembly: a ruleset put together from fragments by owner (a Service, a pod, the skeleton), where replacing one costs
// what the fragment costs, however many others there are.

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "plan/net/ruleset.h"

namespace orch::plan::net {

// What one owner wants. Names of chains and sets are the owner's alone; an element can be wanted by several: then the
// owner whose name sorts first has it, until it lets go.
struct Fragment {
  std::map<std::string, Set, std::less<>> sets;
  std::map<std::string, Chain, std::less<>> chains;
  std::vector<Element> elements;
  bool operator==(const Fragment&) const = default;
};

class Assembly {
 public:
  explicit Assembly(std::string table) : table_(std::move(table)) {}

  // In place of what the owner wanted before; an empty fragment takes the owner out.
  void put(const std::string& owner, Fragment fragment);
  void remove(const std::string& owner) { put(owner, {}); }
  bool has_changes() const { return !before_.empty() || !touched_.empty(); }
  // What leads from the last taken state to the one now. It must be applied, or reset() called.
  Changes take_changes();
  // All there is, for a table made anew; what take_changes() would have told is contained.
  Ruleset take_all();
  std::vector<std::string> owners() const;

 private:
  using ElementId = std::pair<std::string, std::string>;  // set, key
  struct Hash {
    size_t operator()(const ElementId& id) const {
      return std::hash<std::string>{}(id.first) * 31 + std::hash<std::string>{}(id.second);
    }
  };
  using Claims = std::map<std::string, std::optional<Verdict>>;  // by owner
  std::optional<Element> effective(const ElementId& id) const;
  void touch(const ElementId& id);

  std::string table_;
  std::unordered_map<std::string, Fragment> fragments_;
  std::unordered_map<ElementId, Claims, Hash> claims_;
  // Since the last taken state: what changed owners and elements were then.
  std::map<std::string, Fragment> before_;
  std::map<ElementId, std::optional<Element>> touched_;
};

}  // namespace orch::plan::net
