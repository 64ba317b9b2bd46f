#pragma once
// Taints of nodes and the tolerations of pods against them.

#include <cstdint>
#include <string>
#include <vector>

#include "data/value.h"

namespace orch::plan::sched {

enum class Effect : uint8_t { any, no_schedule, prefer_no_schedule, no_execute, unknown };

struct Taint {
  std::string key, value;
  Effect effect = Effect::unknown;
  bool operator==(const Taint&) const = default;
};

struct Toleration {
  std::string key;  // "": all keys
  std::string value;
  bool exists = false;  // whatever the value
  Effect effect = Effect::any;
  bool operator==(const Toleration&) const = default;
};

inline constexpr std::string_view unschedulable_taint = "node.kubernetes.io/unschedulable";

std::vector<Taint> parse_taints(const Value& taints);
// An operator that is neither Equal nor Exists tolerates nothing: such tolerations are left out.
std::vector<Toleration> parse_tolerations(const Value& tolerations);
bool tolerates(const Toleration& toleration, const Taint& taint);
bool tolerates(const std::vector<Toleration>& tolerations, const Taint& taint);

}  // namespace orch::plan::sched
