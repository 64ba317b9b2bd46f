#pragma once
// What both forms of endpoints need of a service and its pods.

#include <string_view>
#include <vector>

#include "data/value.h"
#include "plan/core/snapshot.h"

namespace orch::plan {

// Has a selector and is no ExternalName: its endpoints are ours to keep.
bool selects_pods(const Value& service);
bool is_headless(const Value& service);
// The pods a service selects, in the order of their names.
std::vector<Value> selected_pods(const Snapshot& snapshot, const Value& service);
// Pods with an address that have not finished.
bool has_endpoint(const Value& pod);
// The service's ports as this pod has them: {name, protocol, port[, appProtocol]}. A named target
// port that the pod lacks is left out.
Value ports_of_pod(const Value& service, const Value& pod);
Value pod_reference(const Value& pod);
// The pod's own host name in the service's domain; "" without one.
std::string_view host_name_in(const Value& service, const Value& pod);
// The service's labels without those that endpoints get from us.
Value copied_labels(const Value& service);

// Tells of changes of pods that matter: to the services that select the pod, or did.
void services_of_pod(const Snapshot& snapshot, const Type& type, const Value& old, const Value& now,
                     std::vector<ObjectKey>& keys);

}  // namespace orch::plan
