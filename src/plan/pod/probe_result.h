#pragma once
// What probes have found out, past their thresholds. The prober writes it (for the containers that run,
// keyed by container id: a restarted container begins anew), reconcile reads it.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace orch::plan::pod {

enum class ProbeKind : uint8_t { startup, liveness, readiness };
std::string_view text_of(ProbeKind kind);  // "startup", "liveness", "readiness"

// unknown: not (or not often enough) tried yet.
enum class ProbeResult : uint8_t { unknown, success, failure };

struct ContainerHealth {
  ProbeResult startup = ProbeResult::unknown;
  ProbeResult liveness = ProbeResult::unknown;
  ProbeResult readiness = ProbeResult::unknown;

  ProbeResult of(ProbeKind kind) const {
    return kind == ProbeKind::startup ? startup : kind == ProbeKind::liveness ? liveness : readiness;
  }
  bool operator==(const ContainerHealth&) const = default;
};

// By container id. A container without the probe in its spec needs no entry: it counts as started at
// once, and as ready when it is started.
using ProbeResults = std::map<std::string, ContainerHealth, std::less<>>;

}  // namespace orch::plan::pod
