#include "api/pod_options.h"

#include <algorithm>

#include "base/text.h"
#include "base/time.h"
#include "client/rest_client.h"

namespace orch::api {

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

std::vector<std::string> names_of(const Value& containers) {
  std::vector<std::string> names;
  for (const Value& container : containers.items()) names.emplace_back(container["name"].as_string());
  return names;
}

std::string bracketed(const std::vector<std::string>& names) { return "[" + join(names, " ") + "]"; }

// apimachinery's conversion of a query to a bool: absent is false, "" and anything but these is true.
bool flag(const wire::Query& query, std::string_view key) {
  auto value = query.find(key);
  if (!value) return false;
  return *value != "0" && !equals_ignore_case(*value, "false");
}

Result<std::optional<int64_t>> number(const wire::Query& query, std::string_view key) {
  auto text = query.find(key);
  if (!text || text->empty()) return std::optional<int64_t>();
  auto value = parse_int(*text);
  if (value) return value;
  return Error::make(Code::bad_request, "strconv.ParseInt: parsing " + quote(*text) + ": invalid syntax");
}

}  // namespace

Result<std::string> choose_container(const Value& pod, std::string_view asked) {
  std::string pod_name(pod["metadata"]["name"].as_string());
  const Value& spec = pod["spec"];
  auto containers = names_of(spec["containers"]);
  auto init = names_of(spec["initContainers"]);
  auto ephemeral = names_of(spec["ephemeralContainers"]);
  if (!asked.empty()) {
    for (const auto* names : {&containers, &init, &ephemeral}) {
      if (std::ranges::find(*names, asked) != names->end()) return std::string(asked);
    }
    return Error::make(Code::bad_request, "container " + std::string(asked) + " is not valid for pod " + pod_name);
  }
  if (containers.size() == 1) return containers[0];
  std::string message = "a container name must be specified for pod " + pod_name;
  if (!containers.empty()) message += ", choose one of: " + bracketed(containers);
  if (!init.empty()) message += " or one of the init containers: " + bracketed(init);
  if (!ephemeral.empty()) message += " or one of the ephemeral containers: " + bracketed(ephemeral);
  return Error::make(Code::bad_request, message);
}

Result<std::string> log_query(const wire::Query& query, std::string_view pod) {
  TRY(auto tail, number(query, "tailLines"));
  TRY(auto limit, number(query, "limitBytes"));
  TRY(auto since_seconds, number(query, "sinceSeconds"));
  std::string since_time(query.get("sinceTime"));
  if (!since_time.empty()) {
    auto parsed = parse_time(since_time);
    if (!parsed.ok()) {
      return Error::make(Code::bad_request, "parsing time " + quote(since_time) + " as \"2006-01-02T15:04:05Z07:00\": " +
                                                parsed.error().message());
    }
  }
  std::vector<Cause> causes;
  auto invalid = [&](std::string field, int64_t value, std::string why) {
    causes.push_back({"FieldValueInvalid", std::move(field), "Invalid value: " + std::to_string(value) + ": " + why});
  };
  if (tail && *tail < 0) invalid("tailLines", *tail, "must be greater than or equal to 0");
  if (limit && *limit < 1) invalid("limitBytes", *limit, "must be greater than 0");
  if (since_seconds && !since_time.empty()) {
    causes.push_back({"FieldValueForbidden", "", "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"});
  } else if (since_seconds && *since_seconds < 1) {
    invalid("sinceSeconds", *since_seconds, "must be greater than 0");
  }
  if (!causes.empty()) {
    std::string all;
    for (const Cause& cause : causes) all += (all.empty() ? "" : ", ") + cause.field + ": " + cause.message;
    if (causes.size() > 1) all = "[" + all + "]";
    std::string message = "PodLogOptions " + quote(pod) + " is invalid: " + all;
    return Error::from_causes(message, std::move(causes)).about("", "PodLogOptions", pod);
  }
  Pairs pairs;
  for (const char* key : {"follow", "previous", "timestamps"}) {
    if (flag(query, key)) pairs.emplace_back(key, "true");
  }
  if (since_seconds) pairs.emplace_back("sinceSeconds", std::to_string(*since_seconds));
  if (!since_time.empty()) pairs.emplace_back("sinceTime", since_time);
  if (tail) pairs.emplace_back("tailLines", std::to_string(*tail));
  if (limit) pairs.emplace_back("limitBytes", std::to_string(*limit));
  return client::format_query(pairs);
}

std::string command_query(const wire::Query& query) {
  Pairs pairs;
  for (auto [theirs, ours] : {std::pair{"stdin", "input"}, {"stdout", "output"}, {"stderr", "error"}, {"tty", "tty"}}) {
    if (flag(query, theirs)) pairs.emplace_back(ours, "1");
  }
  std::string text = client::format_query(pairs);
  // Empty arguments are arguments: `sh -c ""`.
  for (std::string_view argument : query.all("command")) {
    text += (text.empty() ? "command=" : "&command=") + encode_percent(argument);
  }
  return text;
}

std::string port_query(const wire::Query& query) {
  Pairs pairs;
  for (std::string_view ports : query.all("ports")) pairs.emplace_back("port", std::string(ports));
  return client::format_query(pairs);
}

}  // namespace orch::api
