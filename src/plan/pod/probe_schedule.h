#pragma once
// When a probe is tried and what its attempts add up to: kubelet's prober worker as a value. Pure.

#include <optional>

#include "base/time.h"
#include "data/value.h"
#include "plan/pod/pod_view.h"
#include "plan/pod/probe_result.h"

namespace orch::plan::pod {

// The numbers of a Probe, with the API's defaults where it says nothing.
struct ProbeRule {
  Duration initial_delay{}, period = 10s, timeout = 1s;
  int success_threshold = 1, failure_threshold = 3;
};
ProbeRule probe_rule(const Value& probe);

// container.spec's "startupProbe", "livenessProbe" or "readinessProbe"; null: it has none.
const Value& probe_of(const Value& container, ProbeKind kind);

// One probe of one container.
struct ProbeCourse {
  ProbeKind kind = ProbeKind::readiness;
  ProbeRule rule;
  Mono next{};                                // the next attempt, unless held
  ProbeResult result = ProbeResult::unknown;  // past its threshold
  ProbeResult last = ProbeResult::unknown;
  int run = 0;        // attempts in a row that gave `last`
  bool held = false;  // nothing more is tried on this container
};

// `running`: for how long the container has been up. The first attempt is due once the initial delay has
// passed since its start.
ProbeCourse begin_probe(ProbeKind kind, const Value& probe, Duration running, Mono now);
// May it be tried now? Liveness and readiness wait for the startup probe; nothing but readiness is asked of a pod that
// is being deleted.
bool is_probe_open(const ProbeCourse& course, bool has_startup_probe, ProbeResult startup, bool pod_is_deleting);
// The startup probe has passed: liveness and readiness are tried at once where their delay is over.
void open_probe(ProbeCourse& course, Mono now);
// What an attempt that was due at `due` gave. True: `result` is another now. A liveness or startup probe that fails is held: the
// container is about to be restarted.
bool note_attempt(ProbeCourse& course, bool success, Mono due);

// "Readiness probe failed: HTTP probe failed with statuscode: 500": the message of an Unhealthy event.
std::string unhealthy_message(ProbeKind kind, std::string_view output);

}  // namespace orch::plan::pod
