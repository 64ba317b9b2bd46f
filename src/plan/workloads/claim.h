#pragma once
// Which objects belong to a controller: those whose controlling owner reference names it and whose
// labels match. A matching object that nobody controls is adopted, an owned one that no longer
// matches is released.

#include <string_view>
#include <vector>

#include "data/selector.h"
#include "plan/core/snapshot.h"

namespace orch::plan {

struct Claim {
  const Type& owner_type;
  const Value& owner;
  const Type& type;  // of what is claimed
  const LabelSelector& selector;
};

// The claimed ones of `candidates`, adopted ones with their new owner reference; the updates that
// make it so go into the plan. An owner that is being deleted neither adopts nor releases.
std::vector<Value> claim_objects(const Claim& claim, const std::vector<Value>& candidates, Plan& plan);

// What could belong to the owner: what it controls, and what nobody controls in its namespace.
std::vector<Value> claim_candidates(const Snapshot& snapshot, const Type& type, const Value& owner);

}  // namespace orch::plan
