#include "api/status.h"

#include "base/text.h"

namespace orch::api {

namespace {

Error about_kind(Error error, const schema::Kind& kind, std::string_view name) {
  return std::move(error).about(kind.group, kind.plural, name);
}

std::string named(const schema::Kind& kind, std::string_view name) {
  return group_resource(kind) + " " + quote(name);
}

}  // namespace

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
