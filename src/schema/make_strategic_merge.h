#pragma once
// Making strategic merge patches: what `apply` sends. The patches are those kubectl makes (the same
// directives: $setElementOrder/x, $deleteFromPrimitiveList/x, $patch: delete, $retainKeys), so that
// both can be used on one object in turn. apply_strategic_merge (engine.h) is the other direction.
//
// Pure. Values are only shared, never changed.

#include "base/result.h"
#include "data/value.h"
#include "schema/graph.h"

namespace orch::schema {

// The patch that makes `to` of `from`; an empty object where they are equal.
// Errors: Code::bad_request for an item of a merged list without its merge key.
Result<Value> make_two_way_merge(const Type& type, const Value& from, const Value& to);

// The patch that brings `current` to `modified`: what is different is set, and what `original` (the
// configuration applied last) had and `modified` has not is deleted. What others added stays.
Result<Value> make_three_way_merge(const Type& type, const Value& original, const Value& modified,
                                   const Value& current);

}  // namespace orch::schema
