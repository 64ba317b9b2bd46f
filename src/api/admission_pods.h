#pragma once
// Admission plugins that look at pods: ServiceAccount, DefaultTolerationSeconds, Priority.

#include <memory>

#include "api/admission.h"

namespace orch::api {

// The service account a pod runs as: "default" unless it says; any other must exist. The account's pull secrets where
// the pod names none, and (`mount_tokens`) a volume with its token where neither of them minds.
std::unique_ptr<AdmissionPlugin> make_service_account_plugin(const store::Store& store, bool mount_tokens);
// Five minutes of patience with a node that is not ready or unreachable.
std::unique_ptr<AdmissionPlugin> make_default_toleration_plugin();
// priorityClassName resolved to a number; built-in and global default classes.
std::unique_ptr<AdmissionPlugin> make_priority_plugin(const store::Store& store);

}  // namespace orch::api
