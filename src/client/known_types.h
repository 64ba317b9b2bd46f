#pragma once
// The types that the schemas know, as informers need them.

#include <vector>

#include "plan/core/snapshot.h"
#include "schema/graph.h"

namespace orch::client {

// Each resource once, in its first version that is not kept as another kind. Borrows from the
// registry. Events are known but not watched: there are many, and nobody decides on them.
std::vector<plan::Snapshot::KnownType> known_types(const schema::Registry& registry);

}  // namespace orch::client
