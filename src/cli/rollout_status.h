#pragma once
// How far a rollout is, in kubectl's sentences. Pure.

#include <string>

#include "base/result.h"
#include "data/value.h"

namespace orch::cli {

struct RolloutStatus {
  std::string message;  // one line
  bool done = false;
};

// Of a Deployment, DaemonSet or StatefulSet. Errors: a Deployment past its progress deadline, another kind.
Result<RolloutStatus> rollout_status(const Value& object);

}  // namespace orch::cli
