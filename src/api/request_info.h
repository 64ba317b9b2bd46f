#pragma once
// A request's path as Kubernetes reads it (apiserver's RequestInfo):
//   /api/v1/namespaces/<ns>/pods/<name>/status      core
//   /apis/<group>/<version>/<resource>/...          groups
// Anything else is no resource: `is_resource` is false and only `path` and `verb` count.

#include <string>
#include <vector>

#include "client/api_port.h"
#include "wire/http.h"

namespace orch::api {

struct RequestInfo {
  bool is_resource = false;
  std::string verb;  // get list watch create update patch delete deletecollection; else the method, lower case
  client::Target target;
  std::vector<std::string> rest;  // path segments after the subresource (proxy, ...)
};

RequestInfo parse_request_info(const wire::Request& request);

}  // namespace orch::api
