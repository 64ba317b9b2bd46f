#include "api/request_info.h"

#include "base/text.h"

namespace orch::api {

namespace {

std::vector<std::string> segments_of(std::string_view path) {
  std::vector<std::string> segments;
  for (std::string_view part : split(path, '/')) {
    if (!part.empty()) segments.emplace_back(part);
  }
  return segments;
}

bool wants_watch(const wire::Request& request) {
  auto value = request.query.find("watch");
  return value && *value != "false" && *value != "0";
}

std::string verb_of(const wire::Request& request, const client::Target& target) {
  bool one = !target.name.empty();
  if (request.method == "GET" || request.method == "HEAD") {
    if (wants_watch(request)) return "watch";
    return one ? "get" : "list";
  }
  if (request.method == "POST") return "create";
  if (request.method == "PUT") return "update";
  if (request.method == "PATCH") return "patch";
  if (request.method == "DELETE") return one ? "delete" : "deletecollection";
  return to_lower(request.method);
}

}  // namespace

RequestInfo parse_request_info(const wire::Request& request) {
  RequestInfo info;
  info.verb = to_lower(request.method);
  std::vector<std::string> parts = segments_of(request.path);
  size_t at = 0;
  if (parts.size() >= 3 && parts[0] == "api") {
    info.target.version = parts[1];
    at = 2;
  } else if (parts.size() >= 4 && parts[0] == "apis") {
    info.target.group = parts[1];
    info.target.version = parts[2];
    at = 3;
  } else {
    return info;
  }
  info.is_resource = true;
  // /api/v1/watch/... is the long deprecated spelling of ?watch=1 and is not served.
  bool is_namespace_itself =
      parts[at] == "namespaces" &&
      (parts.size() == at + 1 || parts.size() == at + 2 ||
       (parts.size() == at + 3 && (parts[at + 2] == "status" || parts[at + 2] == "finalize")));
  if (parts[at] == "namespaces" && !is_namespace_itself) {
    info.target.ns = parts[at + 1];
    at += 2;
  }
  info.target.resource = parts[at++];
  if (at < parts.size()) info.target.name = parts[at++];
  if (at < parts.size()) info.target.subresource = parts[at++];
  info.rest.assign(parts.begin() + static_cast<std::ptrdiff_t>(at), parts.end());
  info.verb = verb_of(request, info.target);
  return info;
}

}  // namespace orch::api
