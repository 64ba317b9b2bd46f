#include "plan/workloads/claim.h"

#include "plan/core/index.h"
#include "plan/core/object.h"

namespace orch::plan {

std::vector<Value> claim_candidates(const Snapshot& snapshot, const Type& type, const Value& owner) {
  std::vector<Value> candidates = snapshot.indexed(type, index::controller, uid_of(owner));
  for (Value& orphan : snapshot.indexed(type, index::controller, orphan_key(namespace_of(owner))))
    candidates.push_back(std::move(orphan));
  return candidates;
}

std::vector<Value> claim_objects(const Claim& claim, const std::vector<Value>& candidates, Plan& plan) {
  std::vector<Value> claimed;
  const bool owner_goes = is_deleting(claim.owner);
  for (const Value& object : candidates) {
    const Value& controller = controller_of(object);
    const bool matches = claim.selector.matches(labels_of(object));
    if (!controller.is_null()) {
      if (controller["uid"].as_string() != uid_of(claim.owner)) continue;
      if (matches) {
        claimed.push_back(object);
      } else if (!owner_goes) {
        plan.add(update(claim.type, without_owner(object, uid_of(claim.owner))));
      }
    } else if (matches && !owner_goes && !is_deleting(object)) {
      Value adopted = with_owner(object, controller_reference(claim.owner_type, claim.owner));
      plan.add(update(claim.type, adopted));
      claimed.push_back(std::move(adopted));
    }
  }
  return claimed;
}

}  // namespace orch::plan
