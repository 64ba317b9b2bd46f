#pragma once
// Who a request is from, and whether that is enough. Client certificates name the user (CN) and its
// groups (O). Until RBAC and tokens come, only system:masters may do anything; everybody may ask
// for health and version, as Kubernetes' system:public-info-viewer allows.

#include "api/objects.h"
#include "api/request_info.h"
#include "wire/http.h"

namespace orch::api {

// Errors: Code::unauthorized (no certificate), forbidden (another user).
Result<Requester> authenticate(const wire::Peer& peer, const RequestInfo& info, const wire::Request& request);

}  // namespace orch::api
