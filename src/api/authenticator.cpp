#include "api/authenticator.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace orch::api {

namespace {

constexpr std::string_view kMasters = "system:masters";
constexpr std::array<std::string_view, 4> kPublicPaths{"/healthz", "/livez", "/readyz", "/version"};

bool is_public(const wire::Request& request) {
  if (request.method != "GET" && request.method != "HEAD") return false;
  return std::ranges::any_of(kPublicPaths, [&](std::string_view path) {
    return request.path == path || request.path == std::string(path) + "/";
  });
}

bool is_issuer_discovery(const wire::Request& request) {
  return request.method == "GET" && (request.path == "/.well-known/openid-configuration" || request.path == "/openid/v1/jwks");
}

// "Authorization: Bearer <token>"; "" where there is none.
std::string_view bearer_token(const wire::Request& request) {
  auto parts = split_once(trim(request.headers.get("Authorization")), ' ');
  if (!parts || !equals_ignore_case(parts->first, "bearer")) return "";
  return trim(parts->second);
}

// kube-apiserver's words: User "x" cannot get resource "pods" in API group "" in the namespace "y"
std::string refusal(const Requester& who, const RequestInfo& info, const wire::Request& request) {
  std::string text = "User " + quote(who.user) + " cannot " + info.verb;
  if (!info.is_resource) return "forbidden: " + text + " path " + quote(request.path);
  std::string resource = info.target.resource;
  if (!info.target.subresource.empty()) resource += "/" + info.target.subresource;
  text += " resource " + quote(resource) + " in API group " + quote(info.target.group);
  text += info.target.ns.empty() ? " at the cluster scope" : " in the namespace " + quote(info.target.ns);
  std::string subject = info.target.resource;
  if (!info.target.group.empty()) subject += "." + info.target.group;
  if (!info.target.name.empty()) subject += " " + quote(info.target.name);
  return subject + " is forbidden: " + text;
}

}  // namespace

Result<Requester> authenticate(const wire::Peer& peer, const RequestInfo& info, const wire::Request& request,
                               const Believe& believe) {
  Requester who;
  bool known = peer.has_certificate;
  const std::string_view token = bearer_token(request);
  if (!known && !token.empty()) {
    auto account = believe ? believe(token) : Result<Requester>(Error::make(Code::unauthorized, "no tokens"));
    // Why not is nothing for somebody who cannot say who he is.
    if (!account.ok()) return Error::make(Code::unauthorized, "Unauthorized");
    who = std::move(account).value();
    known = true;
    if (is_issuer_discovery(request)) return who;
  }
  if (peer.has_certificate) {
    who.user = peer.common_name;
    who.groups = peer.organizations;
    if (std::ranges::count(who.groups, kMasters)) return who;
  }
  if (is_public(request)) return who;
  if (!known) return Error::make(Code::unauthorized, "Unauthorized");
  Error error = Error::make(Code::forbidden, refusal(who, info, request));
  return std::move(error).about(info.target.group, info.target.resource, info.target.name);
}

}  // namespace orch::api
