#pragma once
// Who a request is from, and whether that is enough. Client certificates name the user (CN) and its
// groups (O); a bearer token is a service account's. Until RBAC comes, only system:masters may do anything;
// everybody may ask for health and version, as Kubernetes' system:public-info-viewer allows, and service accounts
// for the keys that their tokens are signed with (system:service-account-issuer-discovery).

#include <functional>

#include "api/objects.h"
#include "api/request_info.h"
#include "wire/http.h"

namespace orch::api {

// Errors: Code::unauthorized (no certificate, or a token that is not good), forbidden (another user).
// `believe`: who a bearer token is of; empty: nobody's is believed.
using Believe = std::function<Result<Requester>(std::string_view token)>;
Result<Requester> authenticate(const wire::Peer& peer, const RequestInfo& info, const wire::Request& request,
                               const Believe& believe);

}  // namespace orch::api
