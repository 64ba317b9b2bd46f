#include "client/rest_client.h"

#include <algorithm>

#include "base/text.h"
#include "data/json.h"

namespace orch::client {

using loop::Task;

namespace {

wire::ClientOptions http_options(const RestOptions& options) {
  wire::ClientOptions http;
  http.user_agent = options.user_agent;
  http.tls_name = options.server_name;
  http.max_reply = size_t{1} << 30;  // a list of everything may be large
  return http;
}

}  // namespace

RestClient::RestClient(loop::Loop& loop, loop::Network& network, RestOptions options)
    : options_(std::move(options)),
      http_(loop, network, options_.endpoint, options_.tls, http_options(options_)) {}

std::string RestClient::origin() const {
  if (!options_.endpoint.unix_path.empty()) return "unix://" + options_.endpoint.unix_path;
  return (options_.endpoint.tls ? "https://" : "http://") + options_.endpoint.authority();
}

wire::ClientRequest RestClient::with_headers(RestRequest request) const {
  wire::ClientRequest http;
  http.method = std::move(request.method);
  http.target = std::move(request.target);
  http.body = std::move(request.body);
  http.headers.add("Accept", std::move(request.accept));
  if (!options_.bearer_token.empty()) {
    http.headers.add("Authorization", "Bearer " + options_.bearer_token);
  }
  for (const auto& [name, value] : options_.headers) http.headers.add(name, value);
  for (const auto& [name, value] : request.headers.all()) http.headers.add(name, value);
  if (!request.content_type.empty()) http.headers.add("Content-Type", std::move(request.content_type));
  return http;
}

Task<std::unique_ptr<wire::ReplyStream>> RestClient::open(RestRequest request) {
  wire::ClientRequest http = with_headers(std::move(request));
  auto reply = co_await http_.open(std::move(http)).result();
  if (!reply.ok()) co_await loop::fail(std::move(reply).error().with_context(origin()));
  co_return std::move(reply).value();
}

Task<RestReply> RestClient::send(RestRequest request) {
  wire::ClientRequest http = with_headers(std::move(request));
  auto reply = co_await http_.call(std::move(http)).result();
  if (!reply.ok()) co_await loop::fail(std::move(reply).error().with_context(origin()));
  RestReply result;
  result.status = reply.value().status;
  result.headers = std::move(reply.value().headers);
  result.body = std::move(reply.value().body);
  co_return std::move(result);
}

Task<RestReply> RestClient::call(RestRequest request) {
  auto reply = co_await send(std::move(request));
  if (!reply.ok()) co_await loop::fail(reply_error(reply.status, reply.body));
  co_return std::move(reply);
}

Task<std::string> read_body(wire::ReplyStream& stream, size_t limit) {
  std::string body;
  while (true) {
    std::string bytes = co_await stream.read();
    if (bytes.empty()) co_return std::move(body);
    body += bytes;
    if (body.size() > limit) {
      co_await loop::fail(Error::make(Code::too_large, "the reply is larger than expected"));
    }
  }
}

// --- errors, queries

Error status_error(const Value& status, int http_status) {
  Code code = code_from_status(status["reason"].as_string(), http_status);
  std::string message(status["message"].as_string());
  if (message.empty()) message = "the server answered " + std::to_string(http_status);
  const Value& details = status["details"];
  std::vector<Cause> causes;
  for (const Value& cause : details["causes"].items()) {
    causes.push_back(Cause{std::string(cause["reason"].as_string()),
                           std::string(cause["field"].as_string()),
                           std::string(cause["message"].as_string())});
  }
  Error error = causes.empty()
                    ? Error::make(code, std::move(message))
                    : Error::from_causes(std::move(message), std::move(causes)).with_code(code);
  error = std::move(error).about(details["group"].as_string(), details["kind"].as_string(),
                                 details["name"].as_string());
  if (int64_t seconds = details["retryAfterSeconds"].as_int(); seconds > 0) {
    error = std::move(error).with_retry_after(static_cast<int>(std::min<int64_t>(seconds, 3600)));
  }
  if (auto token = status.path({"metadata", "continue"}).as_string(); !token.empty()) {
    error = std::move(error).with_continue(std::string(token));
  }
  return error;
}

Error reply_error(int status, std::string_view body) {
  auto parsed = parse_json(body);
  if (parsed.ok() && parsed.value()["kind"].as_string() == "Status") {
    return status_error(parsed.value(), status);
  }
  std::string text(trim(body.substr(0, 300)));
  if (text.empty()) text = std::to_string(status) + " " + std::string(wire::status_text(status));
  return Error::make(code_from_status("", status), std::move(text));
}

std::string format_query(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string text;
  for (const auto& [key, value] : pairs) {
    if (value.empty()) continue;
    if (!text.empty()) text += '&';
    text += encode_percent(key) + "=" + encode_percent(value);
  }
  return text;
}

}  // namespace orch::client
