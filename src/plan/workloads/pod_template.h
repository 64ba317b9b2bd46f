#pragma once
// Making a pod of a pod template, for a controller.

#include <string_view>

#include "data/value.h"
#include "plan/core/type.h"

namespace orch::plan {

// Named by the server: "<owner>-xxxxx". With the template's labels, annotations, finalizers and spec.
Value pod_from_template(const Value& pod_template, const Type& owner_type, const Value& owner);

}  // namespace orch::plan
