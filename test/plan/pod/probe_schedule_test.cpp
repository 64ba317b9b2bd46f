#include "plan/pod/probe_schedule.h"

#include <catch2/catch_test_macros.hpp>

using namespace orch;
using namespace orch::plan::pod;

namespace {

Value probe_with(int64_t delay, int64_t period, int64_t successes, int64_t failures) {
  return Value::object({{"initialDelaySeconds", delay}, {"periodSeconds", period}, {"successThreshold", successes}, {"failureThreshold", failures}});
}

constexpr Mono start{1'000'000'000};

}  // namespace

TEST_CASE("a probe without numbers has the API's defaults") {
  ProbeRule rule = probe_rule(Value::empty_object());
  CHECK(rule.initial_delay == Duration{});
  CHECK(rule.period == Duration{10s});
  CHECK(rule.timeout == Duration{1s});
  CHECK(rule.success_threshold == 1);
  CHECK(rule.failure_threshold == 3);
}

TEST_CASE("the initial delay counts from the container's start, not from ours") {
  CHECK(begin_probe(ProbeKind::liveness, probe_with(5, 1, 1, 1), 0s, start).next == start + 5s);
  CHECK(begin_probe(ProbeKind::liveness, probe_with(5, 1, 1, 1), 3s, start).next == start + 2s);
  CHECK(begin_probe(ProbeKind::liveness, probe_with(5, 1, 1, 1), 60s, start).next == start);
  CHECK(begin_probe(ProbeKind::liveness, probe_with(5, 1, 1, 1), -60s, start).next == start + 5s);  // the clock was set back
}

TEST_CASE("a result is another only past its threshold") {
  ProbeCourse course = begin_probe(ProbeKind::readiness, probe_with(0, 2, 2, 3), 0s, start);
  CHECK_FALSE(note_attempt(course, true, start));
  CHECK(course.result == ProbeResult::unknown);
  CHECK(note_attempt(course, true, start));
  CHECK(course.result == ProbeResult::success);
  CHECK_FALSE(note_attempt(course, false, start));
  CHECK_FALSE(note_attempt(course, false, start));
  CHECK_FALSE(note_attempt(course, true, start));  // the run is broken
  CHECK_FALSE(note_attempt(course, false, start));
  CHECK_FALSE(note_attempt(course, false, start));
  CHECK(course.result == ProbeResult::success);
  CHECK(note_attempt(course, false, start));
  CHECK(course.result == ProbeResult::failure);
  CHECK_FALSE(course.held);  // a container that is not ready goes on being asked
  CHECK(course.next == start + 2s);
}

TEST_CASE("a container that fails its liveness or startup probe is asked no more") {
  for (ProbeKind kind : {ProbeKind::startup, ProbeKind::liveness}) {
    ProbeCourse course = begin_probe(kind, probe_with(0, 1, 1, 1), 0s, start);
    CHECK(is_probe_open(course, false, ProbeResult::unknown, false));
    CHECK(note_attempt(course, false, start));
    CHECK(course.held);
    CHECK_FALSE(is_probe_open(course, false, ProbeResult::unknown, false));
  }
}

TEST_CASE("liveness and readiness wait for the startup probe") {
  for (ProbeKind kind : {ProbeKind::liveness, ProbeKind::readiness}) {
    ProbeCourse course = begin_probe(kind, probe_with(0, 1, 1, 1), 0s, start);
    CHECK_FALSE(is_probe_open(course, true, ProbeResult::unknown, false));
    CHECK_FALSE(is_probe_open(course, true, ProbeResult::failure, false));
    CHECK(is_probe_open(course, true, ProbeResult::success, false));
    CHECK(is_probe_open(course, false, ProbeResult::unknown, false));
  }
  ProbeCourse startup = begin_probe(ProbeKind::startup, probe_with(0, 1, 1, 1), 0s, start);
  note_attempt(startup, true, start);
  CHECK_FALSE(is_probe_open(startup, true, ProbeResult::success, false));
}

TEST_CASE("of a pod that is being deleted only readiness is asked") {
  CHECK_FALSE(is_probe_open(begin_probe(ProbeKind::liveness, Value::null(), 0s, start), false, ProbeResult::unknown, true));
  CHECK_FALSE(is_probe_open(begin_probe(ProbeKind::startup, Value::null(), 0s, start), true, ProbeResult::unknown, true));
  CHECK(is_probe_open(begin_probe(ProbeKind::readiness, Value::null(), 0s, start), false, ProbeResult::unknown, true));
}

TEST_CASE("the words of an Unhealthy event are kubelet's") {
  CHECK(unhealthy_message(ProbeKind::readiness, "HTTP probe failed with statuscode: 500") ==
        "Readiness probe failed: HTTP probe failed with statuscode: 500");
}
