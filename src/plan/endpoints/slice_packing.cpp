#include "plan/endpoints/slice_packing.h"

#include <algorithm>
#include <map>
#include <string>

namespace orch::plan {

namespace {

std::string identity(const Value& endpoint) {
  std::string text(endpoint["targetRef"]["uid"].as_string());
  for (const Value& address : endpoint["addresses"].items()) {
    text += '\n';
    text += address.as_string();
  }
  return text;
}

// Keeps what is still wanted where it is, in its present state; the rest is left in `missing`.
PackedSlice keep_wanted(const Value& slice, std::map<std::string, Value>& missing) {
  PackedSlice packed{slice, {}, false};
  for (const Value& endpoint : slice["endpoints"].items()) {
    auto wanted = missing.find(identity(endpoint));
    if (wanted == missing.end()) {
      packed.changed = true;
      continue;
    }
    packed.changed = packed.changed || wanted->second != endpoint;
    packed.endpoints.push_back(std::move(wanted->second));
    missing.erase(wanted);
  }
  return packed;
}

void fill(PackedSlice& packed, std::vector<Value>& rest) {
  while (!rest.empty() && packed.endpoints.size() < most_endpoints_in_slice) {
    packed.endpoints.push_back(std::move(rest.back()));
    rest.pop_back();
    packed.changed = true;
  }
}

// The fullest slice that takes all of the rest; null if none does.
PackedSlice* best_fit(std::vector<PackedSlice>& slices, size_t rest) {
  PackedSlice* best = nullptr;
  for (PackedSlice& packed : slices) {
    if (packed.slice.is_null() || packed.endpoints.empty()) continue;
    if (packed.endpoints.size() + rest > most_endpoints_in_slice) continue;
    if (!best || packed.endpoints.size() > best->endpoints.size()) best = &packed;
  }
  return best;
}

}  // namespace

std::vector<PackedSlice> pack_slices(const std::vector<Value>& existing, const std::vector<Value>& wanted) {
  std::map<std::string, Value> missing;
  for (const Value& endpoint : wanted) missing.emplace(identity(endpoint), endpoint);
  std::vector<PackedSlice> slices;
  for (const Value& slice : existing) slices.push_back(keep_wanted(slice, missing));

  std::vector<Value> rest;  // in reverse order, taken from the back
  for (auto at = wanted.rbegin(); at != wanted.rend(); ++at) {
    auto found = missing.find(identity(*at));
    if (found == missing.end()) continue;
    rest.push_back(std::move(found->second));
    missing.erase(found);
  }
  for (PackedSlice& packed : slices)
    if (packed.changed) fill(packed, rest);
  while (!rest.empty()) {
    if (rest.size() < most_endpoints_in_slice) {
      if (PackedSlice* fit = best_fit(slices, rest.size())) {
        fill(*fit, rest);
        break;
      }
    }
    fill(slices.emplace_back(), rest);
  }
  return slices;
}

}  // namespace orch::plan
