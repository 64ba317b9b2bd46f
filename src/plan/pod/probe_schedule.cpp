#include "plan/pod/probe_schedule.h"

#include <algorithm>

namespace orch::plan::pod {

namespace {

Duration seconds_of(const Value& value, int64_t otherwise, int64_t least) {
  return std::chrono::seconds(std::max(value.is_int() ? value.as_int() : otherwise, least));
}

int count_of(const Value& value, int64_t otherwise) {
  return static_cast<int>(std::clamp<int64_t>(value.is_int() ? value.as_int() : otherwise, 1, 1'000'000));
}

}  // namespace

ProbeRule probe_rule(const Value& probe) {
  ProbeRule rule;
  rule.initial_delay = seconds_of(probe["initialDelaySeconds"], 0, 0);
  rule.period = seconds_of(probe["periodSeconds"], 10, 1);
  rule.timeout = seconds_of(probe["timeoutSeconds"], 1, 1);
  rule.success_threshold = count_of(probe["successThreshold"], 1);
  rule.failure_threshold = count_of(probe["failureThreshold"], 3);
  return rule;
}

const Value& probe_of(const Value& container, ProbeKind kind) {
  if (kind == ProbeKind::startup) return container["startupProbe"];
  return container[kind == ProbeKind::liveness ? "livenessProbe" : "readinessProbe"];
}

ProbeCourse begin_probe(ProbeKind kind, const Value& probe, Duration running, Mono now) {
  ProbeCourse course;
  course.kind = kind;
  course.rule = probe_rule(probe);
  course.next = now + std::max(course.rule.initial_delay - std::max(running, Duration{}), Duration{});
  return course;
}

bool is_probe_open(const ProbeCourse& course, bool has_startup_probe, ProbeResult startup, bool pod_is_deleting) {
  if (course.held) return false;
  if (course.kind == ProbeKind::startup) return !pod_is_deleting && course.result != ProbeResult::success;
  if (has_startup_probe && startup != ProbeResult::success) return false;
  return course.kind == ProbeKind::readiness || !pod_is_deleting;
}

void open_probe(ProbeCourse& course, Mono now) {
  if (course.last == ProbeResult::unknown) course.next = std::max(course.next, now);
}

bool note_attempt(ProbeCourse& course, bool success, Mono due) {
  const ProbeResult result = success ? ProbeResult::success : ProbeResult::failure;
  course.next = due + course.rule.period;
  course.run = course.last == result ? course.run + 1 : 1;
  course.last = result;
  if (course.run < (success ? course.rule.success_threshold : course.rule.failure_threshold)) return false;
  if (!success && course.kind != ProbeKind::readiness) {
    course.held = true;
    course.run = 0;
  }
  const bool changed = course.result != result;
  course.result = result;
  return changed;
}

std::string unhealthy_message(ProbeKind kind, std::string_view output) {
  std::string_view name = kind == ProbeKind::startup ? "Startup" : kind == ProbeKind::liveness ? "Liveness" : "Readiness";
  return std::string(name) + " probe failed: " + std::string(output);
}

}  // namespace orch::plan::pod
