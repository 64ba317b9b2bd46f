#include "agent/node_stats.h"

#include <catch2/catch_test_macros.hpp>

#include "data/json.h"

namespace orch::agent {
namespace {

NodeSample sample(int64_t second, uint64_t cpu_ns) {
  NodeSample one;
  one.at = Instant{second * 1'000'000'000};
  one.mono = Mono{second * 1'000'000'000};
  read_proc_stat("cpu  100 0 50 9999 77 0 0 0 5 5\ncpu0 1 1 1 1\nbtime 1700000000\n", one);
  *one.cpu_ns += static_cast<uint64_t>(second) * 500'000'000;
  read_meminfo("MemTotal:       1000 kB\nMemFree: 5 kB\nMemAvailable:    400 kB\n", one);
  runtime::ResourceUsage usage;
  usage.cpu_ns = cpu_ns;
  usage.memory_bytes = 4096;
  usage.working_set_bytes = 2048;
  one.usage.push_back({"u1", "", Instant{0}, usage});
  one.usage.push_back({"u1", "main", Instant{0}, usage});
  return one;
}

std::vector<Value> pods() {
  return {*parse_json(R"({"metadata":{"name":"p","namespace":"ns","uid":"u1"}})"),
          *parse_json(R"({"metadata":{"name":"q","namespace":"ns","uid":"u2"}})")};
}

TEST_CASE("a summary has rates from two looks") {
  Value summary = format_summary("n1", sample(10, 1'000'000'000), sample(20, 3'000'000'000), pods());
  CHECK(summary["node"]["nodeName"] == Value("n1"));
  CHECK(summary["node"]["startTime"] == Value("2023-11-14T22:13:20Z"));
  CHECK(summary["node"]["cpu"]["usageNanoCores"] == Value(500'000'000));
  CHECK(summary["node"]["cpu"]["window"] == Value("10s"));
  CHECK(summary["node"]["memory"]["workingSetBytes"] == Value(600 * 1024));
  REQUIRE(summary["pods"].size() == 1);
  const Value& container = summary["pods"].at(0)["containers"].at(0);
  CHECK(container["name"] == Value("main"));
  CHECK(container["cpu"]["usageNanoCores"] == Value(200'000'000));
  CHECK(container["cpu"]["usageCoreNanoSeconds"] == Value(3'000'000'000));
  CHECK(container["memory"]["workingSetBytes"] == Value(2048));
}

TEST_CASE("a container that was restarted between the looks has no rate") {
  NodeSample before = sample(10, 1'000'000'000);
  NodeSample now = sample(20, 3'000'000'000);
  now.usage[1].started_at = Instant{15'000'000'000};
  Value summary = format_summary("n1", before, now, pods());
  const Value& container = summary["pods"].at(0)["containers"].at(0);
  CHECK(container["cpu"]["usageNanoCores"].is_null());
  CHECK(container["cpu"]["usageCoreNanoSeconds"] == Value(3'000'000'000));
}

TEST_CASE("resource metrics are Prometheus' text") {
  NodeSample now = sample(20, 3'000'000'000);
  CHECK(format_resource_metrics(now, pods()) ==
        R"(# HELP container_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the container in core-seconds
# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{container="main",namespace="ns",pod="p"} 3.000000 20000
# HELP container_memory_working_set_bytes [STABLE] Current working set of the container in bytes
# TYPE container_memory_working_set_bytes gauge
container_memory_working_set_bytes{container="main",namespace="ns",pod="p"} 2048 20000
# HELP container_start_time_seconds [STABLE] Start time of the container since unix epoch in seconds
# TYPE container_start_time_seconds gauge
container_start_time_seconds{container="main",namespace="ns",pod="p"} 0.000000 20000
# HELP node_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the node in core-seconds
# TYPE node_cpu_usage_seconds_total counter
node_cpu_usage_seconds_total 11.500000 20000
# HELP node_memory_working_set_bytes [STABLE] Current working set of the node in bytes
# TYPE node_memory_working_set_bytes gauge
node_memory_working_set_bytes 614400 20000
# HELP pod_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the pod in core-seconds
# TYPE pod_cpu_usage_seconds_total counter
pod_cpu_usage_seconds_total{namespace="ns",pod="p"} 3.000000 20000
# HELP pod_memory_working_set_bytes [STABLE] Current working set of the pod in bytes
# TYPE pod_memory_working_set_bytes gauge
pod_memory_working_set_bytes{namespace="ns",pod="p"} 2048 20000
# HELP resource_scrape_error [STABLE] 1 if there was an error while getting container metrics, 0 otherwise
# TYPE resource_scrape_error gauge
resource_scrape_error 0
)");
}

}  // namespace
}  // namespace orch::agent
