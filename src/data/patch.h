#pragma once
// JSON Patch (RFC 6902), JSON Merge Patch (RFC 7396), and making a merge patch from two values.

#include "base/result.h"
#include "data/value.h"

namespace orch {

// Errors: Code::bad_request for a malformed patch; Code::invalid where a `test` fails or a path does
// not exist (the API server answers 422). At most 10,000 operations; copies are bounded in size.
Result<Value> apply_json_patch(const Value& target, const Value& patch);
Value apply_merge_patch(const Value& target, const Value& patch);
// The merge patch that makes `to` of `from`.
Value make_merge_patch(const Value& from, const Value& to);

}  // namespace orch
