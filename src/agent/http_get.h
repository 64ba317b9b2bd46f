#pragma once
// The HTTP request of a probe or a lifecycle hook: an HTTPGetAction carried out as kubelet does.

#include <string>

#include "agent/handlers.h"
#include "wire/http_client.h"

namespace orch::agent {

struct HttpGetPlan {
  std::string url;  // "http://10.42.0.7:8080/healthz?x=1"
  wire::Endpoint endpoint;
  std::string target;  // path and query
  wire::Headers headers;
};
// `user_agent`: unless httpHeaders set another. Pure. Code::invalid: a port that there is not.
Result<HttpGetPlan> plan_http_get(const Value& get, const HandlerTarget& target, std::string_view user_agent);
// Where a redirect leads: nullopt for what cannot be read. Pure.
std::optional<HttpGetPlan> follow_redirect(const HttpGetPlan& from, std::string_view location);
// What comes of a status (redirects on the same host have been followed). Pure.
Attempt judge_status(int status, std::string_view body);
// "Get \"http://...\": dial tcp ...": how Go tells of a request that failed. Pure.
std::string get_error_text(const HttpGetPlan& plan, const Error& error);

struct HttpReply {
  int status = 0;
  std::string body;  // at most 10 KiB of it
};
// Certificates are not verified. Errors are those of connecting and of HTTP.
loop::Task<HttpReply> run_http_get(loop::Loop& loop, loop::Network& network, HttpGetPlan plan);

}  // namespace orch::agent
