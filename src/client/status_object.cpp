#include "client/status_object.h"

namespace orch::client {

namespace {

Value details_of(const Error& error) {
  ObjectBuilder details;
  details.set_if("name", error.name());
  details.set_if("group", error.group());
  details.set_if("kind", error.kind());
  std::vector<Value> causes;
  for (const Cause& cause : error.causes()) {
    ObjectBuilder one;
    one.set_if("reason", cause.reason).set_if("message", cause.message).set_if("field", cause.field);
    causes.push_back(std::move(one).build());
  }
  if (!causes.empty()) details.set("causes", Value::list(std::move(causes)));
  if (error.retry_after_seconds() > 0) details.set("retryAfterSeconds", error.retry_after_seconds());
  return details.empty() ? Value() : std::move(details).build();
}

}  // namespace

Value status_object(const Error& error) {
  const CodeInfo& info = code_info(error.code());
  ObjectBuilder status;
  status.set("kind", "Status").set("apiVersion", "v1").set("metadata", Value::empty_object());
  if (!error.continue_token().empty()) {
    status.set("metadata", Value::object({{"continue", error.continue_token()}}));
  }
  status.set("status", "Failure").set("message", error.message());
  status.set_if("reason", info.reason);
  status.set_if("details", details_of(error));
  status.set("code", info.http_status);
  return std::move(status).build();
}

}  // namespace orch::client
