// linux.resources as files of cgroup v2. The conversions from v1's values are runc's (libcontainer/cgroups) and
// kubernetes' KEP-2254.

#include <algorithm>

#include "base/text.h"
#include "plan/oci/compile.h"

namespace orch::plan::oci {

namespace {

using steps::Op;
using steps::Step;

// cpu.shares (2..262144) to cpu.weight (1..10000).
int64_t weight_of_shares(int64_t shares) {
  if (shares == 0) return 0;
  shares = std::clamp<int64_t>(shares, 2, 262144);
  return 1 + (shares - 2) * 9999 / 262142;
}

// blkio.weight (10..1000) to io.weight (1..10000).
int64_t io_weight(int64_t weight) { return 1 + (std::clamp<int64_t>(weight, 10, 1000) - 10) * 9999 / 990; }

std::string limit_text(int64_t value) { return value < 0 ? "max" : std::to_string(value); }

class Writer {
 public:
  Writer(const std::string& cgroup, const Facts& facts) : cgroup_(cgroup), facts_(facts) {}
  void write(std::string_view controller, std::string_view file, std::string content) {
    if (!facts_.controllers.contains(std::string(controller))) return;
    steps_.push_back(Step{Op::write_file, {}, {cgroup_ + "/" + std::string(file), std::move(content)}});
  }
  void write_optional(std::string_view controller, std::string_view file, std::string content) {
    if (!facts_.controllers.contains(std::string(controller))) return;
    write(controller, file, std::move(content));
    steps_.back().tolerated = true;
  }
  steps::Steps take() { return std::move(steps_); }

 private:
  const std::string& cgroup_;
  const Facts& facts_;
  steps::Steps steps_;
};

void write_memory(Writer& writer, const Value& memory) {
  if (const int64_t reservation = memory["reservation"].as_int(); reservation != 0) {
    writer.write("memory", "memory.low", limit_text(reservation));
  }
  const int64_t limit = memory["limit"].as_int();
  if (limit != 0) writer.write("memory", "memory.max", limit_text(limit));
  if (!memory.has("swap")) return;
  // v1's figure is memory and swap together; kernels without swap accounting have no such file.
  const int64_t swap = memory["swap"].as_int();
  writer.write_optional("memory", "memory.swap.max", swap < 0 ? "max" : std::to_string(std::max<int64_t>(0, swap - std::max<int64_t>(0, limit))));
}

void write_cpu(Writer& writer, const Value& cpu) {
  if (const int64_t weight = weight_of_shares(cpu["shares"].as_int()); weight > 0) {
    writer.write("cpu", "cpu.weight", std::to_string(weight));
  }
  if (cpu.has("quota") || cpu.has("period")) {
    const int64_t quota = cpu["quota"].as_int(-1);
    writer.write("cpu", "cpu.max", (quota > 0 ? std::to_string(quota) : "max") + " " + std::to_string(cpu["period"].as_int(100000)));
  }
  if (cpu.has("burst")) writer.write_optional("cpu", "cpu.max.burst", std::to_string(cpu["burst"].as_int()));
  if (cpu.has("idle")) writer.write_optional("cpu", "cpu.idle", std::to_string(cpu["idle"].as_int()));
  if (!cpu["cpus"].as_string().empty()) writer.write("cpuset", "cpuset.cpus", std::string(cpu["cpus"].as_string()));
  if (!cpu["mems"].as_string().empty()) writer.write("cpuset", "cpuset.mems", std::string(cpu["mems"].as_string()));
}

void write_block_io(Writer& writer, const Value& io) {
  if (const int64_t weight = io["weight"].as_int(); weight > 0) {
    writer.write_optional("io", "io.weight", "default " + std::to_string(io_weight(weight)));
  }
  constexpr std::pair<std::string_view, std::string_view> kThrottles[] = {
      {"throttleReadBpsDevice", "rbps"},
      {"throttleWriteBpsDevice", "wbps"},
      {"throttleReadIOPSDevice", "riops"},
      {"throttleWriteIOPSDevice", "wiops"},
  };
  for (const auto& [list, key] : kThrottles) {
    for (const Value& item : io[list].items()) {
      writer.write("io", "io.max",
                   std::to_string(item["major"].as_int()) + ":" + std::to_string(item["minor"].as_int()) + " " +
                       std::string(key) + "=" + std::to_string(item["rate"].as_int()));
    }
  }
}

}  // namespace

steps::Steps compile_resources(const Value& resources, const std::string& cgroup, const Facts& facts) {
  Writer writer(cgroup, facts);
  write_memory(writer, resources["memory"]);
  write_cpu(writer, resources["cpu"]);
  if (const int64_t limit = resources["pids"]["limit"].as_int(); limit != 0) {
    writer.write("pids", "pids.max", limit_text(limit));
  }
  write_block_io(writer, resources["blockIO"]);
  for (const Value& item : resources["hugepageLimits"].items()) {
    const std::string file = "hugetlb." + std::string(item["pageSize"].as_string()) + ".max";
    writer.write_optional("hugetlb", file, limit_text(item["limit"].as_int()));
  }
  for (const Member& member : resources["unified"].members()) {
    const std::string_view controller = member.name().substr(0, member.name().find('.'));
    writer.write_optional(controller, member.name(), std::string(member.value.as_string()));
  }
  return writer.take();
}

}  // namespace orch::plan::oci
