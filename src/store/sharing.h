#pragma once
// Structural sharing between versions of an object and between siblings (the pods of one ReplicaSet):
// equal subtrees are kept once. Pure.

#include "data/value.h"

namespace orch::store {

// A value equal to `value` that uses the storage of `model` wherever both have equal subtrees at the
// same place. List items are compared by position.
Value share_storage(const Value& model, const Value& value);

// Heap bytes of `value` that `other` does not hold too.
size_t unshared_bytes(const Value& value, const Value& other);

}  // namespace orch::store
