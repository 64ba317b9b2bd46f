#include "plan/sched/taints.h"

#include <algorithm>

namespace orch::plan::sched {

namespace {

Effect parse_effect(std::string_view text) {
  if (text.empty()) return Effect::any;
  if (text == "NoSchedule") return Effect::no_schedule;
  if (text == "PreferNoSchedule") return Effect::prefer_no_schedule;
  if (text == "NoExecute") return Effect::no_execute;
  return Effect::unknown;
}

}  // namespace

std::vector<Taint> parse_taints(const Value& taints) {
  std::vector<Taint> parsed;
  for (const Value& taint : taints.items())
    parsed.push_back(Taint{std::string(taint["key"].as_string()), std::string(taint["value"].as_string()),
                           parse_effect(taint["effect"].as_string("unknown"))});
  return parsed;
}

std::vector<Toleration> parse_tolerations(const Value& tolerations) {
  std::vector<Toleration> parsed;
  for (const Value& toleration : tolerations.items()) {
    std::string_view op = toleration["operator"].as_string("Equal");
    if (op != "Equal" && op != "Exists" && !op.empty()) continue;
    parsed.push_back(Toleration{std::string(toleration["key"].as_string()),
                                std::string(toleration["value"].as_string()), op == "Exists",
                                parse_effect(toleration["effect"].as_string())});
  }
  return parsed;
}

bool tolerates(const Toleration& toleration, const Taint& taint) {
  if (toleration.effect != Effect::any && toleration.effect != taint.effect) return false;
  if (!toleration.key.empty() && toleration.key != taint.key) return false;
  return toleration.exists || toleration.value == taint.value;
}

bool tolerates(const std::vector<Toleration>& tolerations, const Taint& taint) {
  return std::any_of(tolerations.begin(), tolerations.end(),
                     [&](const Toleration& toleration) { return tolerates(toleration, taint); });
}

}  // namespace orch::plan::sched
