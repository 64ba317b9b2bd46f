#pragma once
// Amounts of resources as the scheduler counts them, and what a pod asks for.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/value.h"

namespace orch::plan::sched {

// An extended resource ("example.com/gpu"), huge pages or attachable volumes.
struct Scalar {
  std::string name;
  int64_t amount = 0;
  bool operator==(const Scalar&) const = default;
};

struct Resources {
  int64_t cpu_milli = 0;
  int64_t memory = 0;             // bytes
  int64_t ephemeral_storage = 0;  // bytes
  std::vector<Scalar> scalars;    // few; none with most pods

  void add(const Resources& other) { change(other, 1); }
  void subtract(const Resources& other) { change(other, -1); }
  void raise_to(const Resources& other);  // the larger of both, each by itself
  int64_t scalar(std::string_view name) const;
  bool is_zero() const;
  bool operator==(const Resources&) const = default;

 private:
  void change(const Resources& other, int64_t sign);
  int64_t& scalar_at(const std::string& name);
};

// {"cpu": "100m", ...}; what the scheduler does not count is left out.
Resources parse_resources(const Value& quantities);

// What a pod asks for. Scores see every container ask for at least something: those that say nothing
// of cpu or memory count as 100m and 200 MiB there, so that many small pods spread, too.
struct PodRequests {
  Resources exact;
  int64_t scored_cpu_milli = 0;
  int64_t scored_memory = 0;
};

// The larger of what runs together (containers and sidecars) and of each init container with the
// sidecars that start before it; plus overhead (KEP-753).
PodRequests pod_requests(const Value& pod_spec);

}  // namespace orch::plan::sched
