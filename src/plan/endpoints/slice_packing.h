#pragma once
// How endpoints are spread over slices: at most 100 in each, with as few slices written as can be.
// Endpoints that are in a slice stay there; new ones go into slices that are written anyway, then into
// one that has room for all the rest, then into new slices.

#include <cstddef>
#include <vector>

#include "data/value.h"

namespace orch::plan {

inline constexpr size_t most_endpoints_in_slice = 100;

struct PackedSlice {
  Value slice;                   // the existing object; null for a new one
  std::vector<Value> endpoints;  // none: the slice shall go
  bool changed = false;
};

// `existing` and `wanted` have the same ports and address type. Endpoints are the same one when
// their addresses and targets are.
std::vector<PackedSlice> pack_slices(const std::vector<Value>& existing, const std::vector<Value>& wanted);

}  // namespace orch::plan
