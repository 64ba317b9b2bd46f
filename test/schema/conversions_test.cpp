#include <catch2/catch_test_macros.hpp>

#include "data/json.h"
#include "schema/engine.h"
#include "schema/hooks.h"

using namespace orch;
using namespace orch::schema;

namespace {

const ConvertHook& conversion(std::string_view name) {
  static const Hooks hooks = Hooks::builtin();
  const ConvertHook* found = hooks.find<ConvertHook>(name);
  REQUIRE(found);
  return *found;
}

Value json(std::string_view text) { return parse_json(text).value(); }

}  // namespace

TEST_CASE("an event of events.k8s.io is kept under the old names and read back") {
  Value event = json(R"({"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{"name":"e"},
      "regarding":{"kind":"Pod","name":"p"},"note":"hello","reportingController":"c","reason":"R",
      "reportingInstance":"i","eventTime":"2024-05-01T12:00:00.000000Z","deprecatedCount":3})");
  Value stored = conversion("events_v1").to_stored(event);
  CHECK(
      format_json(stored) ==
      R"({"apiVersion":"v1","count":3,"eventTime":"2024-05-01T12:00:00.000000Z",)"
      R"("involvedObject":{"kind":"Pod","name":"p"},"kind":"Event","message":"hello",)"
      R"("metadata":{"name":"e"},"reason":"R","reportingComponent":"c","reportingInstance":"i"})");
  CHECK(format_json(conversion("events_v1").from_stored(stored)) == format_json(event));
}

TEST_CASE("an old autoscaler's load becomes a metric, 80 % where it names none") {
  Value old = json(
      R"({"apiVersion":"autoscaling/v1","kind":"HorizontalPodAutoscaler","metadata":{"name":"h"},
      "spec":{"maxReplicas":3,"scaleTargetRef":{"kind":"Deployment","name":"d"},"targetCPUUtilizationPercentage":50}})");
  Value stored = conversion("hpa_v1").to_stored(old);
  CHECK(stored["apiVersion"] == Value("autoscaling/v2"));
  CHECK(
      format_json(stored.path({"spec", "metrics"})) ==
      R"([{"resource":{"name":"cpu","target":{"averageUtilization":50,"type":"Utilization"}},"type":"Resource"}])");
  CHECK(format_json(conversion("hpa_v1").from_stored(stored)) == format_json(old));
  Value bare = conversion("hpa_v1").to_stored(
      old.with_path({"spec", "targetCPUUtilizationPercentage"}, std::nullopt));
  CHECK(bare.path({"spec", "metrics"}).at(0).path({"resource", "target", "averageUtilization"}) ==
        Value(80));
}

// The annotations are those Kubernetes' own conversion writes.
TEST_CASE("what an old autoscaler cannot say travels in annotations") {
  Value stored = json(R"({"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler",
      "metadata":{"name":"h","annotations":{"mine":"1"}},"spec":{"maxReplicas":3,"metrics":[
        {"type":"Pods","pods":{"metric":{"name":"hits"},"target":{"type":"AverageValue","averageValue":"10"}}},
        {"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":60}}}],
        "behavior":{"scaleUp":{"stabilizationWindowSeconds":5,"policies":[{"type":"Pods","value":1,"periodSeconds":15}]}}},
      "status":{"currentReplicas":1,"desiredReplicas":1,"currentMetrics":[
        {"type":"Resource","resource":{"name":"cpu","current":{"averageUtilization":7,"averageValue":"7m"}}}]}})");
  Value old = conversion("hpa_v1").from_stored(stored);
  CHECK(old.path({"spec", "targetCPUUtilizationPercentage"}) == Value(60));
  CHECK(old.path({"status", "currentCPUUtilizationPercentage"}) == Value(7));
  const Value& annotations = old.path({"metadata", "annotations"});
  CHECK(annotations["autoscaling.alpha.kubernetes.io/metrics"] ==
        Value(R"([{"pods":{"metricName":"hits","targetAverageValue":"10"},"type":"Pods"}])"));
  CHECK(
      annotations["autoscaling.alpha.kubernetes.io/current-metrics"] ==
      Value(
          R"([{"resource":{"currentAverageUtilization":7,"currentAverageValue":"7m","name":"cpu"},"type":"Resource"}])"));
  CHECK(
      annotations["autoscaling.alpha.kubernetes.io/behavior"] ==
      Value(
          R"({"ScaleUp":{"Policies":[{"PeriodSeconds":15,"Type":"Pods","Value":1}],"StabilizationWindowSeconds":5}})"));
  CHECK(format_json(conversion("hpa_v1").to_stored(old)) == format_json(stored));
}

TEST_CASE("a kind that is kept as another has that one's table") {
  static const auto registry = Registry::builtin().value();
  static const Hooks hooks = Hooks::builtin();
  const Kind* kind = registry->find_kind("events.k8s.io", "v1", "Event");
  CHECK(table_columns(*kind) == table_columns(*registry->find_kind("", "v1", "Event")));
  Value row = table_row(
      *kind,
      json(R"({"metadata":{"name":"e"},"note":"hello","regarding":{"kind":"Pod","name":"p"}})"),
      hooks, Instant{});
  CHECK(row["cells"].at(3) == Value("pod/p"));
}
