#include "plan/core/status.h"

#include <vector>

namespace orch::plan {

const Value& find_condition(const Value& conditions, std::string_view type) {
  for (const Value& condition : conditions.items())
    if (condition["type"].as_string() == type) return condition;
  return Value::null();
}

Value without_condition(const Value& conditions, std::string_view type) {
  if (find_condition(conditions, type).is_null()) return conditions;
  std::vector<Value> kept;
  for (const Value& condition : conditions.items())
    if (condition["type"].as_string() != type) kept.push_back(condition);
  return Value::list(std::move(kept));
}

Value set_condition(const Value& conditions, const Value& condition) {
  std::string_view type = condition["type"].as_string();
  const Value& current = find_condition(conditions, type);
  if (!current.is_null() && current["status"] == condition["status"]) {
    if (current["reason"] == condition["reason"]) return conditions;
    Value kept = condition.with("lastTransitionTime", current["lastTransitionTime"]);
    return without_condition(conditions, type).appended(kept);
  }
  return without_condition(conditions, type).appended(condition);
}

Value make_condition(std::string_view type, std::string_view status, std::string_view reason,
                     std::string_view message, Instant now) {
  return Value::object({{"type", type},
                        {"status", status},
                        {"reason", reason},
                        {"message", message},
                        {"lastTransitionTime", format_time(now)}});
}

}  // namespace orch::plan
