#pragma once
// The indexes a Snapshot keeps, as one table of pure functions. A function gives the keys under
// which an object is filed.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/value.h"
#include "plan/core/type.h"

namespace orch::plan {

namespace index {
// The uid of the controlling owner; objects without one are under "none/<namespace>".
inline constexpr std::string_view controller = "controller";
inline constexpr std::string_view owner = "owner";  // the uid of each owner
inline constexpr std::string_view uid = "uid";
inline constexpr std::string_view node = "node";        // pods: spec.nodeName
inline constexpr std::string_view service = "service";  // endpoint slices: "<namespace>/<service>"
}  // namespace index

inline std::string orphan_key(std::string_view ns) { return "none/" + std::string(ns); }

struct IndexFunction {
  std::string_view name;
  std::string_view resource;  // Type::resource, "" for all
  void (*keys)(const Value& object, std::vector<std::string>& keys);
};

std::span<const IndexFunction> index_functions();

}  // namespace orch::plan
