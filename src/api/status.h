#pragma once
// metav1.Status objects, from errors and for deletions.

#include <string_view>

#include "base/error.h"
#include "client/status_object.h"
#include "data/value.h"
#include "schema/graph.h"

namespace orch::api {

using client::status_object;
// The reply to a deletion that took effect at once.
Value success_status(const schema::Kind& kind, std::string_view name, std::string_view uid);

// "deployments.apps", "pods": schema.GroupResource's text.
std::string group_resource(const schema::Kind& kind);

// `pods "x" not found` and so on, in apimachinery's words, with details filled in.
Error not_found(const schema::Kind& kind, std::string_view name);
Error already_exists(const schema::Kind& kind, std::string_view name);
Error conflict(const schema::Kind& kind, std::string_view name, std::string_view why);
// The conflict of a stale resourceVersion.
Error modified_conflict(const schema::Kind& kind, std::string_view name);
Error forbidden(const schema::Kind& kind, std::string_view name, std::string_view why);
Error bad_request(std::string message);

}  // namespace orch::api
