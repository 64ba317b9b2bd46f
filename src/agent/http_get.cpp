#include "agent/http_get.h"

#include <cerrno>

#include "base/text.h"

namespace orch::agent {

using loop::Task;

namespace {

constexpr size_t most_body_bytes = 10 * 1024;  // kubelet's maxRespBodyLength
constexpr int most_redirects = 10;             // Go's http.Client

std::string bracketed(const std::string& host) { return host.find(':') == std::string::npos ? host : "[" + host + "]"; }

std::string url_of(const wire::Endpoint& endpoint, const std::string& target) {
  return (endpoint.tls ? "https://" : "http://") + bracketed(endpoint.host) + ":" + std::to_string(endpoint.port) + target;
}

}  // namespace

Result<HttpGetPlan> plan_http_get(const Value& get, const HandlerTarget& target, std::string_view user_agent) {
  HttpGetPlan plan;
  plan.endpoint.tls = equals_ignore_case(get["scheme"].as_string("HTTP"), "https");
  plan.endpoint.host = get["host"].as_string();
  if (plan.endpoint.host.empty()) plan.endpoint.host = target.pod_ip;
  if (plan.endpoint.host.empty()) return Error::make(Code::invalid, "the pod has no address");
  TRY(plan.endpoint.port, resolve_port(get["port"], target.container));
  plan.target = get["path"].as_string("/");
  plan.target = std::string(std::string_view(plan.target).substr(0, plan.target.find('#')));
  if (!plan.target.starts_with('/')) plan.target = "/" + plan.target;
  plan.target = replace_all(plan.target, " ", "%20");
  for (const Value& header : get["httpHeaders"].items())
    plan.headers.add(std::string(header["name"].as_string()), std::string(header["value"].as_string()));
  if (!plan.headers.has("User-Agent")) plan.headers.add("User-Agent", std::string(user_agent));
  if (!plan.headers.has("Accept")) plan.headers.add("Accept", "*/*");
  plan.url = url_of(plan.endpoint, plan.target);
  return plan;
}

std::optional<HttpGetPlan> follow_redirect(const HttpGetPlan& from, std::string_view location) {
  location = location.substr(0, location.find('#'));
  if (location.empty()) return std::nullopt;
  HttpGetPlan next = from;
  const size_t scheme = location.find("://");
  if (scheme != std::string_view::npos || location.starts_with("//")) {
    std::string absolute = scheme == std::string_view::npos ? (from.endpoint.tls ? "https:" : "http:") + std::string(location)
                                                            : std::string(location);
    const size_t path = absolute.find_first_of("/?", absolute.find("://") + 3);
    auto endpoint = wire::parse_endpoint(absolute.substr(0, path));
    if (!endpoint.ok()) return std::nullopt;
    next.endpoint = std::move(endpoint).value();
    next.target = path == std::string::npos ? "/" : absolute.substr(path);
    if (next.target.starts_with('?')) next.target = "/" + next.target;
  } else if (location.starts_with('/')) {
    next.target = location;
  } else {
    std::string_view base = std::string_view(from.target).substr(0, from.target.find('?'));
    next.target = std::string(base.substr(0, base.rfind('/') + 1)) + std::string(location);
  }
  next.url = url_of(next.endpoint, next.target);
  return next;
}

Attempt judge_status(int status, std::string_view body) {
  if (status >= 200 && status < 300) return {true, "", false};
  // A redirect to another host is taken for alive, but not followed.
  if (status >= 300 && status < 400) return {true, "Probe terminated redirects, Response body: " + std::string(body), true};
  return {false, "HTTP probe failed with statuscode: " + std::to_string(status), false};
}

std::string get_error_text(const HttpGetPlan& plan, const Error& error) {
  const std::string start = "Get " + quote(plan.url) + ": ";
  if (error.is(Code::timeout)) return start + "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
  if (error.message().find("wrong version number") != std::string::npos) return start + "http: server gave HTTP response to HTTPS client";
  if (error.error_number() == ECONNRESET) return start + "read: connection reset by peer";
  if (error.is(Code::closed)) return start + "EOF";
  if (error.error_number() != 0) return start + dial_text(bracketed(plan.endpoint.host) + ":" + std::to_string(plan.endpoint.port), error);
  return start + error.message();
}

Task<HttpReply> run_http_get(loop::Loop& loop, loop::Network& network, HttpGetPlan plan) {
  for (int hop = 0;; ++hop) {
    std::shared_ptr<const wire::TlsContext> tls;
    if (plan.endpoint.tls) {
      wire::TlsContext::Client unverified;
      unverified.verify = false;
      tls = co_await wire::TlsContext::client(unverified);
    }
    wire::ClientOptions options;
    options.max_idle = 0;
    wire::HttpClient client(loop, network, plan.endpoint, tls, options);
    wire::ClientRequest request;
    request.target = plan.target;
    request.headers = plan.headers;
    std::unique_ptr<wire::ReplyStream> stream = co_await client.open(std::move(request));
    HttpReply reply;
    reply.status = stream->status();
    if (reply.status >= 300 && reply.status < 400 && reply.status != 304) {
      auto next = follow_redirect(plan, stream->headers().get("Location"));
      if (next && next->endpoint.host == plan.endpoint.host) {
        if (hop + 1 >= most_redirects) co_await loop::fail(Error::make(Code::invalid, "stopped after 10 redirects"));
        plan = std::move(*next);
        continue;
      }
    }
    while (reply.body.size() < most_body_bytes) {
      std::string more = co_await stream->read();
      if (more.empty()) break;
      reply.body += more;
    }
    if (reply.body.size() > most_body_bytes) reply.body.resize(most_body_bytes);
    co_return std::move(reply);
  }
}

}  // namespace orch::agent
