// wait: until objects are there, gone, or in a condition.

#include "base/text.h"
#include "cli/selection.h"
#include "cli/verbs.h"
#include "cli/waiting.h"
#include "data/path.h"

namespace orch::cli {

using loop::fail;
using loop::Task;

namespace {

Condition has_condition(std::string type, std::string status) {
  return [type, status](const Value& object) -> Result<bool> {
    if (object.is_null()) return failure("the object is not there any more");
    for (const Value& condition : object["status"]["conditions"].items()) {
      if (!equals_ignore_case(condition["type"].as_string(), type)) continue;
      // What was seen of an older generation does not count.
      const Value& observed = condition["observedGeneration"];
      if (!observed.is_null() && observed.as_int() < object["metadata"]["generation"].as_int()) return false;
      return equals_ignore_case(condition["status"].as_string(), status);
    }
    return false;
  };
}

Condition has_value(JsonPath path, std::optional<std::string> wanted) {
  return [path, wanted](const Value& object) -> Result<bool> {
    if (object.is_null()) return failure("the object is not there any more");
    auto selected = path.select(object, true);
    if (!selected.ok() || selected.value().empty()) return false;
    if (!wanted) return true;
    if (selected.value().size() > 1) return failure("given jsonpath expression matches more than one value");
    const Value& value = selected.value().front();
    if (value.is_object() || value.is_list()) {
      return failure("jsonpath leads to a nested object or list which is not supported");
    }
    TRY(std::string text, path.format(object, true));
    return trim(text) == *wanted;
  };
}

struct Goal {
  Condition condition;
  bool deletion = false;
  bool creation = false;
};

Result<Goal> parse_goal(const std::string& text) {
  Goal goal;
  if (to_lower(text) == "delete") {
    goal.deletion = true;
    goal.condition = [](const Value& object) -> Result<bool> { return object.is_null(); };
    return goal;
  }
  if (to_lower(text) == "create") {
    goal.creation = true;
    goal.condition = [](const Value& object) -> Result<bool> { return !object.is_null(); };
    return goal;
  }
  if (text.starts_with("condition=")) {
    std::string rest = text.substr(10);
    auto parts = split_once(rest, '=');
    goal.condition = has_condition(std::string(parts ? parts->first : std::string_view(rest)),
                                   std::string(parts ? parts->second : std::string_view("true")));
    return goal;
  }
  if (text.starts_with("jsonpath=")) {
    std::string rest = text.substr(9);
    std::optional<std::string> wanted;
    size_t end = rest.rfind('}');
    size_t equal = rest.find('=', end == std::string::npos ? 0 : end);
    if (equal != std::string::npos) {
      wanted = std::string(trim(rest.substr(equal + 1)));
      if (wanted->empty()) return usage_error("jsonpath wait has to have a value to be compared");
      rest = rest.substr(0, equal);
    }
    TRY(std::string relaxed, relaxed_json_path(rest));
    TRY(JsonPath path, JsonPath::parse(relaxed));
    goal.condition = has_value(std::move(path), std::move(wanted));
    return goal;
  }
  return usage_error("unrecognized condition: " + quote(text));
}

Task<void> wait_for_one(Invocation& in, const Selected& selected, const Goal& goal, Duration limit) {
  if (!goal.deletion && !goal.creation && selected.object.is_null()) {
    Value there = co_await read_object(in, selected);
  }
  Condition condition = goal.condition;
  auto done = co_await wait_until(in, *selected.resource, selected.ns, selected.name, condition, limit)
                  .result();
  if (done.ok()) {
    in.console.out(selected.shown() + " condition met\n");
    co_return;
  }
  if (!done.error().is(Code::timeout)) co_await fail(std::move(done).error());
  co_await fail(failure("timed out waiting for the condition on " + selected.resource->plural + "/" +
                        selected.name));
}

Task<int> run_wait(Invocation& in) {
  if (in.text("for").empty()) {
    co_await fail(usage_error("--for is needed: delete, create, condition=NAME or jsonpath='{PATH}'=VALUE"));
  }
  Goal goal = co_await parse_goal(in.text("for"));
  Duration limit = co_await parse_duration(in.text("timeout"));
  // kubectl: negative is a week, zero looks once.
  if (limit < Duration::zero()) limit = kWaitForever;
  auto all = co_await select_objects(in, in.words());
  if (all.empty()) {
    if (goal.deletion) co_return 0;
    co_await fail(failure("no matching resources found"));
  }
  int code = 0;
  const Mono end = in.session.loop().now() + limit;
  for (const Selected& selected : all) {
    Duration left = end - in.session.loop().now();
    auto done = co_await wait_for_one(in, selected, goal, std::max<Duration>(left, Duration(1))).result();
    if (done.ok()) continue;
    code = 1;
    in.console.error(format_error(done.error()));
  }
  co_return code;
}

}  // namespace

std::vector<Verb> wait_verbs() {
  Flags own = {{"for", 0, FlagType::text, "", "delete, create, condition=NAME[=VALUE], jsonpath='{PATH}'[=VALUE]"},
               {"timeout", 0, FlagType::text, "30s", "how long; negative: a week"},
               {"output", 'o', FlagType::text, "", "accepted"}};
  return {Verb{"wait", "TYPE NAME --for=...", "Wait until objects are in a condition",
               flags::join({own, flags::files(), flags::selection(), flags::all_namespaces()}), run_wait}};
}

}  // namespace orch::cli
