#pragma once
// Waiting for an object to become something: read it, then watch it.

#include <functional>
#include <string>

#include "base/time.h"
#include "cli/verb.h"

namespace orch::cli {

// Looks at the object (null: there is none) and says whether the waiting is over.
using Condition = std::function<Result<bool>(const Value& object)>;

// Ends when the condition holds, with its error, or with Code::timeout after `limit`, which is counted in
// whole seconds (the server ends the watch). The condition sees every state the server tells of.
loop::Task<void> wait_until(Invocation& in, const Resource& resource, std::string ns, std::string name,
                            Condition condition, Duration limit);

constexpr Duration kWaitForever = 24h * 7;

}  // namespace orch::cli
