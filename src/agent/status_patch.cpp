#include "agent/status_patch.h"

#include "plan/core/object.h"
#include "plan/core/status.h"

namespace orch::agent {

namespace {

constexpr std::string_view plain_fields[] = {"phase", "reason", "message", "hostIP", "podIP", "startTime",
                                             "initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses",
                                             "observedGeneration"};
// Merged by key unless told otherwise.
constexpr std::string_view merged_lists[] = {"hostIPs", "podIPs"};
constexpr std::string_view own_conditions[] = {"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"};

Value replacing(const Value& list) {
  std::vector<Value> items{Value::object({{"$patch", "replace"}})};
  for (const Value& item : list.items()) items.push_back(item);
  return Value::list(std::move(items));
}

// A merge keeps what the patch does not name: fields that are no more are named as null.
Value without_leftovers(Value condition, const Value& was) {
  for (const Member& member : was.members())
    if (!condition.has(member.name())) condition = condition.with(member.name(), nullptr);
  return condition;
}

// Lists of statuses are empty where they are absent.
bool is_same(const Value& a, const Value& b) { return a == b || (a.empty() && b.empty() && !a.is_string() && !b.is_string() && !a.is_int() && !b.is_int()); }

}  // namespace

Value status_patch(const Value& pod, const Value& wanted) {
  const Value& has = pod["status"];
  ObjectBuilder status;
  for (std::string_view field : plain_fields)
    if (!is_same(has[field], wanted[field])) status.set(field, wanted[field]);
  for (std::string_view field : merged_lists)
    if (!is_same(has[field], wanted[field])) status.set(field, replacing(wanted[field]));
  std::vector<Value> conditions;
  for (std::string_view type : own_conditions) {
    const Value& condition = plan::find_condition(wanted["conditions"], type);
    const Value& was = plan::find_condition(has["conditions"], type);
    if (!condition.is_null() && condition != was) conditions.push_back(without_leftovers(condition, was));
  }
  status.set_if("conditions", Value::list(std::move(conditions)));
  if (status.empty()) return Value();
  return Value::object({{"metadata", Value::object({{"uid", plan::uid_of(pod)}})}, {"status", std::move(status).build()}});
}

bool is_urgent(const Value& current, const Value& wanted) {
  if (current["phase"] != wanted["phase"]) return true;
  const Value& was = plan::find_condition(current["conditions"], "Ready");
  const Value& is = plan::find_condition(wanted["conditions"], "Ready");
  return !was.is_null() && was["status"] != is["status"];
}

}  // namespace orch::agent
