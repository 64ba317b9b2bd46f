#include "api/metrics.h"

#include <catch2/catch_test_macros.hpp>

#include "data/json.h"

namespace orch::api {
namespace {

const char* kSummary = R"({
  "node": {"nodeName": "n1", "cpu": {"time": "2026-11-28T10:00:00Z", "window": "12s", "usageNanoCores": 250000000},
           "memory": {"workingSetBytes": 1048576}},
  "pods": [{"podRef": {"uid": "u1"}, "containers": [
    {"name": "a", "cpu": {"time": "2026-11-28T10:00:00Z", "window": "12s", "usageNanoCores": 0}, "memory": {"workingSetBytes": 2048}},
    {"name": "new", "cpu": {"time": "2026-11-28T10:00:00Z"}}]}]})";

TEST_CASE("figures of a node's summary as metrics-server writes them") {
  Value summary = *parse_json(kSummary);
  Instant now = *parse_time("2026-11-28T10:00:05Z");
  Value node = node_metrics(*parse_json(R"({"metadata":{"name":"n1","labels":{"a":"b"}}})"), summary, now);
  CHECK(format_json(node) ==
        R"({"apiVersion":"metrics.k8s.io/v1beta1","kind":"NodeMetrics","metadata":{"creationTimestamp":"2026-11-28T10:00:05Z","labels":{"a":"b"},"name":"n1"},"timestamp":"2026-11-28T10:00:00Z","usage":{"cpu":"250000000n","memory":"1024Ki"},"window":"12s"})");
  Value pod = pod_metrics(*parse_json(R"({"metadata":{"name":"p","namespace":"ns","uid":"u1"}})"), summary, now);
  CHECK(format_json(pod["containers"]) == R"([{"name":"a","usage":{"cpu":"0","memory":"2Ki"}}])");
  CHECK(pod["metadata"]["namespace"] == Value("ns"));
  CHECK(pod_metrics(*parse_json(R"({"metadata":{"name":"q","uid":"u2"}})"), summary, now).is_null());
  CHECK(node_metrics(*parse_json("{}"), *parse_json("{}"), now).is_null());
}

}  // namespace
}  // namespace orch::api
