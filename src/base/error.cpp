#include "base/error.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace orch {

namespace {

// HTTP status and reason: apimachinery's StatusReason documentation. Exit codes: docs/contract.
constexpr std::array<CodeInfo, 24> kCodes{{
    {Code::bad_request, "bad_request", 400, "BadRequest", 1},
    {Code::unauthorized, "unauthorized", 401, "Unauthorized", 1},
    {Code::forbidden, "forbidden", 403, "Forbidden", 1},
    {Code::not_found, "not_found", 404, "NotFound", 1},
    {Code::already_exists, "already_exists", 409, "AlreadyExists", 1},
    {Code::conflict, "conflict", 409, "Conflict", 1},
    {Code::gone, "gone", 410, "Gone", 1},
    {Code::expired, "expired", 410, "Expired", 1},
    {Code::invalid, "invalid", 422, "Invalid", 1},
    {Code::method_not_allowed, "method_not_allowed", 405, "MethodNotAllowed", 1},
    {Code::not_acceptable, "not_acceptable", 406, "NotAcceptable", 1},
    {Code::unsupported_media_type, "unsupported_media_type", 415, "UnsupportedMediaType", 1},
    {Code::too_large, "too_large", 413, "RequestEntityTooLarge", 1},
    {Code::too_many_requests, "too_many_requests", 429, "TooManyRequests", 1},
    {Code::timeout, "timeout", 504, "Timeout", 1},
    {Code::server_timeout, "server_timeout", 500, "ServerTimeout", 1},
    {Code::internal, "internal", 500, "InternalError", 1},
    {Code::unavailable, "unavailable", 503, "ServiceUnavailable", 1},
    {Code::not_implemented, "not_implemented", 501, "", 1},
    {Code::io, "io", 500, "InternalError", 1},
    {Code::cancelled, "cancelled", 500, "InternalError", 1},
    {Code::closed, "closed", 500, "InternalError", 1},
    {Code::usage, "usage", 400, "BadRequest", 2},
    {Code::parse, "parse", 400, "BadRequest", 1},
}};

}  // namespace

const CodeInfo& code_info(Code code) { return kCodes[static_cast<size_t>(code)]; }

Code code_from_status(std::string_view reason, int http_status) {
  auto by_reason = std::ranges::find_if(
      kCodes, [&](const CodeInfo& info) { return !reason.empty() && info.reason == reason; });
  if (by_reason != kCodes.end()) return by_reason->code;
  auto by_status = std::ranges::find_if(
      kCodes, [&](const CodeInfo& info) { return info.http_status == http_status; });
  return by_status != kCodes.end() ? by_status->code : Code::internal;
}

Error Error::make(Code code, std::string message) {
  auto body = std::make_unique<Body>();
  body->code = code;
  body->message = std::move(message);
  return Error(std::move(body));
}

Error Error::from_errno(int error_number, std::string_view what) {
  char buffer[128];
  std::string message(what);
  message += ": ";
  message += strerror_r(error_number, buffer, sizeof buffer);
  Error error = make(Code::io, std::move(message));
  error.body_->error_number = error_number;
  return error;
}

Error Error::from_causes(std::string message, std::vector<Cause> causes) {
  Error error = make(Code::invalid, std::move(message));
  error.body_->causes = std::move(causes);
  return error;
}

Error::Error(const Error& other) : body_(std::make_unique<Body>(*other.body_)) {}

Error& Error::operator=(const Error& other) {
  if (this != &other) body_ = std::make_unique<Body>(*other.body_);
  return *this;
}

Error Error::with_context(std::string_view context) && {
  body_->message.insert(0, std::string(context) + ": ");
  return std::move(*this);
}

Error Error::with_code(Code code) && {
  body_->code = code;
  return std::move(*this);
}

Error Error::about(std::string_view group, std::string_view kind, std::string_view name) && {
  body_->group = group;
  body_->kind = kind;
  body_->name = name;
  return std::move(*this);
}

Error Error::with_retry_after(int seconds) && {
  body_->retry_after_seconds = seconds;
  return std::move(*this);
}

Error Error::with_continue(std::string token) && {
  body_->continue_token = std::move(token);
  return std::move(*this);
}

}  // namespace orch
