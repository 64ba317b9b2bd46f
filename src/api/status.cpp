#include "api/status.h"

#include "base/text.h"

namespace orch::api {

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

Error about_kind(Error error, const schema::Kind& kind, std::string_view name) {
  return std::move(error).about(kind.group, kind.plural, name);
}

std::string named(const schema::Kind& kind, std::string_view name) {
  return group_resource(kind) + " " + quote(name);
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

Value success_status(const schema::Kind& kind, std::string_view name, std::string_view uid) {
  ObjectBuilder details;
  details.set("name", name).set_if("group", kind.group).set("kind", kind.plural).set_if("uid", uid);
  return Value::object({{"kind", "Status"},
                        {"apiVersion", "v1"},
                        {"metadata", Value::empty_object()},
                        {"status", "Success"},
                        {"details", std::move(details).build()}});
}

std::string group_resource(const schema::Kind& kind) {
  return kind.group.empty() ? kind.plural : kind.plural + "." + kind.group;
}

Error not_found(const schema::Kind& kind, std::string_view name) {
  return about_kind(Error::make(Code::not_found, named(kind, name) + " not found"), kind, name);
}

Error already_exists(const schema::Kind& kind, std::string_view name) {
  return about_kind(Error::make(Code::already_exists, named(kind, name) + " already exists"), kind, name);
}

Error conflict(const schema::Kind& kind, std::string_view name, std::string_view why) {
  std::string message = "Operation cannot be fulfilled on " + named(kind, name) + ": " + std::string(why);
  return about_kind(Error::make(Code::conflict, std::move(message)), kind, name);
}

Error modified_conflict(const schema::Kind& kind, std::string_view name) {
  return conflict(kind, name,
                  "the object has been modified; please apply your changes to the latest version and "
                  "try again");
}

Error forbidden(const schema::Kind& kind, std::string_view name, std::string_view why) {
  std::string message = named(kind, name) + " is forbidden: " + std::string(why);
  return about_kind(Error::make(Code::forbidden, std::move(message)), kind, name);
}

Error bad_request(std::string message) { return Error::make(Code::bad_request, std::move(message)); }

}  // namespace orch::api
