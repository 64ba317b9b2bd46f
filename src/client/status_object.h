#pragma once
// The metav1.Status an Error becomes, for whoever answers requests: the API and the nodes.

#include "base/error.h"
#include "data/value.h"

namespace orch::client {

// {"kind":"Status","apiVersion":"v1","status":"Failure","message":...,"reason":...,"code":...}
Value status_object(const Error& error);

}  // namespace orch::client
