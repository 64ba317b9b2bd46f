#include "agent/node_stats.h"

#include <algorithm>

#include "base/text.h"
#include "loop/files.h"

namespace orch::agent {

using loop::Task;

namespace {

constexpr Duration kFresh = 5s;      // an answer younger than this is given again
constexpr Duration kStale = 120s;    // a look older than this says nothing about now
constexpr Duration kShortest = 1s;   // between the two looks

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  for (auto word : split(line, ' ')) {
    if (!word.empty()) words.push_back(word);
  }
  return words;
}

Value number(uint64_t value) { return Value(static_cast<int64_t>(value)); }

// Nanoseconds of CPU a second.
std::optional<uint64_t> rate(std::optional<uint64_t> before, std::optional<uint64_t> now, Duration window) {
  if (!before || !now || *now < *before || window <= Duration::zero()) return std::nullopt;
  return static_cast<uint64_t>(static_cast<double>(*now - *before) * 1e9 / static_cast<double>(window.count()));
}

Value cpu_value(const NodeSample& before, const NodeSample& now, std::optional<uint64_t> used_before,
                std::optional<uint64_t> used) {
  if (!used) return Value();
  Duration window = now.mono - before.mono;
  ObjectBuilder cpu;
  cpu.set("time", format_time(now.at)).set("window", format_duration(window));
  if (auto nanos = rate(used_before, used, window)) cpu.set("usageNanoCores", number(*nanos));
  cpu.set("usageCoreNanoSeconds", number(*used));
  return std::move(cpu).build();
}

Value memory_value(const NodeSample& now, const runtime::ResourceUsage& usage) {
  if (!usage.memory_bytes) return Value();
  ObjectBuilder memory;
  memory.set("time", format_time(now.at)).set("usageBytes", number(*usage.memory_bytes));
  memory.set("workingSetBytes", number(usage.working_set_bytes.value_or(*usage.memory_bytes)));
  return std::move(memory).build();
}

const UsageSample* find(const NodeSample& sample, std::string_view uid, std::string_view container) {
  auto same = [&](const UsageSample& one) { return one.pod_uid == uid && one.container == container; };
  auto found = std::ranges::find_if(sample.usage, same);
  return found == sample.usage.end() ? nullptr : &*found;
}

Value stats_of(const NodeSample& before, const NodeSample& now, const UsageSample& sample) {
  const UsageSample* earlier = find(before, sample.pod_uid, sample.container);
  bool same_run = earlier && earlier->started_at == sample.started_at;
  ObjectBuilder stats;
  if (!sample.container.empty()) stats.set("name", sample.container);
  stats.set("startTime", format_time(sample.started_at));
  Value cpu = cpu_value(before, now, same_run ? earlier->usage.cpu_ns : std::nullopt, sample.usage.cpu_ns);
  if (!cpu.is_null()) stats.set("cpu", std::move(cpu));
  Value memory = memory_value(now, sample.usage);
  if (!memory.is_null()) stats.set("memory", std::move(memory));
  if (sample.usage.processes) {
    stats.set(sample.container.empty() ? "process_stats" : "processStats",
              Value::object({{"process_count", number(*sample.usage.processes)}}));
  }
  return std::move(stats).build();
}

Value node_stats(std::string_view name, const NodeSample& before, const NodeSample& now) {
  ObjectBuilder node;
  node.set("nodeName", name).set("startTime", format_time(now.booted_at));
  Value cpu = cpu_value(before, now, before.cpu_ns, now.cpu_ns);
  if (!cpu.is_null()) node.set("cpu", std::move(cpu));
  if (now.memory_total && now.memory_available) {
    uint64_t used = *now.memory_total - std::min(*now.memory_total, *now.memory_available);
    node.set("memory", Value::object({{"time", format_time(now.at)},
                                      {"availableBytes", number(*now.memory_available)},
                                      {"usageBytes", number(used)},
                                      {"workingSetBytes", number(used)}}));
  }
  return std::move(node).build();
}

}  // namespace

void read_proc_stat(std::string_view text, NodeSample& into) {
  for (std::string_view line : split(text, '\n')) {
    auto words = words_of(line);
    if (words.size() > 4 && words[0] == "cpu") {
      uint64_t ticks = 0;  // user nice system idle iowait irq softirq steal: all but the idle ones
      for (size_t i = 1; i < std::min<size_t>(words.size(), 9); ++i) {
        if (i != 4 && i != 5) ticks += parse_uint(words[i]).value_or(0);
      }
      into.cpu_ns = ticks * 10'000'000;
    }
    if (words.size() == 2 && words[0] == "btime") into.booted_at = Instant{parse_int(words[1]).value_or(0) * 1'000'000'000};
  }
}

void read_meminfo(std::string_view text, NodeSample& into) {
  for (std::string_view line : split(text, '\n')) {
    auto words = words_of(line);
    if (words.size() < 2) continue;
    auto kib = parse_uint(words[1]);
    if (!kib) continue;
    if (words[0] == "MemTotal:") into.memory_total = *kib * 1024;
    if (words[0] == "MemAvailable:") into.memory_available = *kib * 1024;
  }
}

Value format_summary(std::string_view node_name, const NodeSample& before, const NodeSample& now,
                     const std::vector<Value>& pods) {
  std::vector<Value> listed;
  for (const Value& pod : pods) {
    const Value& metadata = pod["metadata"];
    std::string_view uid = metadata["uid"].as_string();
    const UsageSample* whole = find(now, uid, "");
    if (!whole) continue;
    std::vector<Value> containers;
    for (const UsageSample& sample : now.usage) {
      if (sample.pod_uid == uid && !sample.container.empty()) containers.push_back(stats_of(before, now, sample));
    }
    Value reference = Value::object({{"name", metadata["name"]}, {"namespace", metadata["namespace"]}, {"uid", metadata["uid"]}});
    listed.push_back(stats_of(before, now, *whole)
                         .with("podRef", std::move(reference))
                         .with("containers", Value::list(std::move(containers))));
  }
  return Value::object({{"node", node_stats(node_name, before, now)}, {"pods", Value::list(std::move(listed))}});
}

std::string format_resource_metrics(const NodeSample& now, const std::vector<Value>& pods) {
  std::string time = std::to_string(now.at.ns / 1'000'000);
  struct Family {
    std::string name, help, type, lines;
  };
  Family cpu{"container_cpu_usage_seconds_total", "Cumulative cpu time consumed by the container in core-seconds", "counter", ""};
  Family memory{"container_memory_working_set_bytes", "Current working set of the container in bytes", "gauge", ""};
  Family start{"container_start_time_seconds", "Start time of the container since unix epoch in seconds", "gauge", ""};
  Family node_cpu{"node_cpu_usage_seconds_total", "Cumulative cpu time consumed by the node in core-seconds", "counter", ""};
  Family node_memory{"node_memory_working_set_bytes", "Current working set of the node in bytes", "gauge", ""};
  Family pod_cpu{"pod_cpu_usage_seconds_total", "Cumulative cpu time consumed by the pod in core-seconds", "counter", ""};
  Family pod_memory{"pod_memory_working_set_bytes", "Current working set of the pod in bytes", "gauge", ""};
  auto add = [&](Family& family, const std::string& labels, const std::string& value) {
    family.lines += family.name + labels + " " + value + " " + time + "\n";
  };
  auto seconds = [](uint64_t ns) { return std::to_string(static_cast<double>(ns) / 1e9); };
  for (const Value& pod : pods) {
    const Value& metadata = pod["metadata"];
    std::string of_pod = "namespace=" + quote(metadata["namespace"].as_string()) + ",pod=" + quote(metadata["name"].as_string()) + "}";
    for (const UsageSample& sample : now.usage) {
      if (sample.pod_uid != metadata["uid"].as_string()) continue;
      bool whole = sample.container.empty();
      std::string labels = whole ? "{" + of_pod : "{container=" + quote(sample.container) + "," + of_pod;
      if (sample.usage.cpu_ns) add(whole ? pod_cpu : cpu, labels, seconds(*sample.usage.cpu_ns));
      auto bytes = sample.usage.working_set_bytes ? sample.usage.working_set_bytes : sample.usage.memory_bytes;
      if (bytes) add(whole ? pod_memory : memory, labels, std::to_string(*bytes));
      if (!whole) add(start, labels, seconds(static_cast<uint64_t>(std::max<int64_t>(sample.started_at.ns, 0))));
    }
  }
  if (now.cpu_ns) add(node_cpu, "", seconds(*now.cpu_ns));
  if (now.memory_total && now.memory_available) {
    add(node_memory, "", std::to_string(*now.memory_total - std::min(*now.memory_total, *now.memory_available)));
  }
  std::string text;
  for (const Family* family : {&cpu, &memory, &start, &node_cpu, &node_memory, &pod_cpu, &pod_memory}) {
    if (family->lines.empty()) continue;
    text += "# HELP " + family->name + " [STABLE] " + family->help + "\n# TYPE " + family->name + " " + family->type + "\n";
    text += family->lines;
  }
  return text +
         "# HELP resource_scrape_error [STABLE] 1 if there was an error while getting container metrics, 0 otherwise\n"
         "# TYPE resource_scrape_error gauge\nresource_scrape_error 0\n";
}

Task<NodeSample> NodeStats::look() {
  NodeSample sample;
  auto stat = co_await loop::read_file(loop_, "/proc/stat", 1 << 20).result();
  if (stat.ok()) read_proc_stat(*stat, sample);
  auto memory = co_await loop::read_file(loop_, "/proc/meminfo", 1 << 20).result();
  if (memory.ok()) read_meminfo(*memory, sample);
  sample.at = loop_.wall();
  sample.mono = loop_.now();
  for (const auto& sandbox : runtime_.list()) {
    if (!sandbox.alive) continue;
    auto whole = co_await runtime_.usage(sandbox.pod_uid, "").result();
    if (!whole.ok()) continue;
    sample.usage.push_back({sandbox.pod_uid, "", sandbox.created_at, *whole});
    for (const auto& container : sandbox.containers) {
      if (container.phase != runtime::ContainerPhase::running) continue;
      auto used = co_await runtime_.usage(sandbox.pod_uid, container.id).result();
      if (used.ok()) sample.usage.push_back({sandbox.pod_uid, container.name, container.started_at, *used});
    }
  }
  co_return std::move(sample);
}

Task<Value> NodeStats::summary(std::vector<Value> pods) {
  bool fresh = before_ && latest_ && loop_.now() - latest_->mono < kFresh;
  if (!fresh) {
    bool usable = latest_ && loop_.now() - latest_->mono < kStale;
    if (!usable) {
      latest_ = co_await look();
      co_await loop::sleep(loop_, kShortest);
    }
    NodeSample now = co_await look();
    before_ = std::move(latest_);
    latest_ = std::move(now);
  }
  // Others may have asked meanwhile, so that the two are the same look.
  if (!before_) before_ = latest_;
  co_return format_summary(node_name_, *before_, *latest_, pods);
}

Task<std::string> NodeStats::resource_metrics(std::vector<Value> pods) {
  NodeSample now = co_await look();
  co_return format_resource_metrics(now, pods);
}

}  // namespace orch::agent
