#pragma once
// Waiting for an object to become something: read it, then watch it.

#include <functional>
#include <string>

#include "cli/verb.h"
#include "loop/timeout.h"

namespace orch::cli {

// Looks at the object (null: there is none) and says whether the waiting is over.
using Condition = std::function<Result<bool>(const Value& object)>;

// Ends when the condition holds, or with its error. The condition sees every state the server tells of.
loop::Task<void> wait_until(Invocation& in, const Resource& resource, std::string ns, std::string name,
                            Condition condition);

}  // namespace orch::cli
