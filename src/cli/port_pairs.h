#pragma once
// The ports of `port-forward`: "8080", "8080:80", ":80", "8080:web". Pure.

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/value.h"

namespace orch::cli {

struct PortPair {
  uint16_t local = 0;  // 0: any
  uint16_t remote = 0;
  bool operator==(const PortPair&) const = default;
};

// `object` is what the user named: of a Service, ports are the Service's and lead to the pod's. Names are those of the
// Service's or the containers' ports.
Result<std::vector<PortPair>> resolve_ports(const std::vector<std::string>& texts, const Value& object, const Value& pod);

}  // namespace orch::cli
