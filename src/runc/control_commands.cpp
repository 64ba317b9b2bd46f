// kill, delete, pause, resume, update.

#include <poll.h>

#include <csignal>
#include <cstdio>

#include "base/text.h"
#include "data/json.h"
#include "linux/raw.h"
#include "loop/files.h"
#include "runc/bundle.h"
#include "runc/container.h"
#include "runc/removal.h"
#include "runc/signals.h"

namespace orch::runc {

namespace {

using Kind = Option::Kind;

// --- kill, delete --------------------------------------------------------------------

constexpr Option kKill[] = {{"all", 'a', Kind::flag, "to all processes of the container"}};

Result<int> run_kill(const Context& context, const Options& options) {
  TRY(const std::string id, options.id());
  const std::string name = options.words().size() > 1 ? options.words()[1] : "TERM";
  const auto number = parse_signal(name);
  if (!number) return Error::make(Code::usage, "unknown signal " + quote(name));
  TRY(const Container container, load_container(context, id));
  const Target target = options.on("all") ? Target::all : Target::first;
  if (target == Target::first && status_of(container) == Status::stopped) return Error::make(Code::conflict, "container not running");
  TRY_VOID(signal_container(container, *number, target));
  return 0;
}

constexpr Option kDelete[] = {{"force", 'f', Kind::flag, "also one that runs (SIGKILL), or that is not there"}};

Result<int> run_delete(const Context& context, const Options& options) {
  TRY(const std::string id, options.id());
  const bool force = options.on("force");
  auto container = load_container(context, id);
  if (!container.ok()) {
    if (force && container.error().is(Code::not_found)) return 0;
    return std::move(container).error();
  }
  const Status status = status_of(*container);
  if (!force && status != Status::stopped && status != Status::created) {
    return Error::make(Code::conflict, "cannot delete container " + id + " that is not stopped: " + std::string(status_name(status)));
  }
  remove_container(*container);
  return 0;
}

// --- pause, resume ---------------------------------------------------------------------

// cgroup-v2.rst: the change is complete once cgroup.events says so.
Result<void> freeze(const Container& container, bool frozen) {
  if (container.cgroup.empty()) return Error::make(Code::unavailable, "the container has no cgroup: it cannot be paused");
  const std::string file = container.cgroup + "/cgroup.freeze";
  if (const int error = sys::write_kernel_file(file.c_str(), frozen ? "1" : "0")) return Error::from_errno(error, "write to " + file);
  sys::Fd events(::open((container.cgroup + "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
  const std::string_view wanted = frozen ? "frozen 1" : "frozen 0";
  for (int tries = 0; events.ok() && tries < 100; ++tries) {
    char text[128] = "";
    if (::pread(events.get(), text, sizeof text - 1, 0) <= 0) break;
    if (std::string_view(text).find(wanted) != std::string_view::npos) return {};
    pollfd wait{events.get(), POLLPRI, 0};
    ::poll(&wait, 1, 100);
  }
  return Error::make(Code::timeout, "the container's processes did not " + std::string(frozen ? "freeze" : "thaw") + " within 10 s");
}

Result<int> run_pause(const Context& context, const Options& options) {
  TRY(const std::string id, options.id());
  TRY(const Container container, load_container(context, id));
  const Status status = status_of(container);
  if (status != Status::running && status != Status::created) {
    return Error::make(Code::conflict, "container not running or created: " + std::string(status_name(status)));
  }
  TRY_VOID(freeze(container, true));
  return 0;
}

Result<int> run_resume(const Context& context, const Options& options) {
  TRY(const std::string id, options.id());
  TRY(const Container container, load_container(context, id));
  if (status_of(container) != Status::paused) return Error::make(Code::conflict, "container not paused");
  TRY_VOID(freeze(container, false));
  return 0;
}

// --- update ----------------------------------------------------------------------------

constexpr Option kUpdate[] = {
    {"resources", 'r', Kind::text, "file with linux.resources as JSON; - is standard input"},
    {"memory", 0, Kind::text, "limit in bytes"},
    {"memory-reservation", 0, Kind::text, "soft limit in bytes"},
    {"memory-swap", 0, Kind::text, "memory and swap together in bytes, -1 unlimited"},
    {"cpu-shares", 0, Kind::text, "weight, 2 to 262144"},
    {"cpu-quota", 0, Kind::text, "microseconds in each period, -1 unlimited"},
    {"cpu-period", 0, Kind::text, "microseconds"},
    {"cpu-burst", 0, Kind::text, "microseconds"},
    {"cpuset-cpus", 0, Kind::text, "processors: 0-3,5"},
    {"cpuset-mems", 0, Kind::text, "memory nodes"},
    {"pids-limit", 0, Kind::text, "processes, -1 unlimited"},
    {"blkio-weight", 0, Kind::text, "10 to 1000"},
};

struct Setting {
  std::string_view flag, group, key;
  bool number;
};
constexpr Setting kSettings[] = {
    {"memory", "memory", "limit", true},          {"memory-reservation", "memory", "reservation", true},
    {"memory-swap", "memory", "swap", true},      {"cpu-shares", "cpu", "shares", true},
    {"cpu-quota", "cpu", "quota", true},          {"cpu-period", "cpu", "period", true},
    {"cpu-burst", "cpu", "burst", true},          {"cpuset-cpus", "cpu", "cpus", false},
    {"cpuset-mems", "cpu", "mems", false},        {"pids-limit", "pids", "limit", true},
    {"blkio-weight", "blockIO", "weight", true},
};

Result<Value> resources_from_flags(const Options& options) {
  Value resources = Value::empty_object();
  for (const Setting& setting : kSettings) {
    if (!options.given(setting.flag)) continue;
    const std::string text = options.text(setting.flag);
    Value value(text);
    if (setting.number) {
      const auto number = parse_int(text);
      if (!number) return Error::make(Code::usage, "--" + std::string(setting.flag) + ": " + quote(text) + " is no number");
      value = *number;
    }
    resources = resources.with_path({setting.group, setting.key}, value);
  }
  return resources;
}

Result<Value> wanted_resources(const Options& options) {
  const std::string file = options.text("resources");
  if (file.empty()) return resources_from_flags(options);
  TRY(const std::string text, loop::read_file_now(file == "-" ? "/dev/stdin" : file));
  return parse_json(text).with_context(file);
}

Result<int> run_update(const Context& context, const Options& options) {
  TRY(const std::string id, options.id());
  TRY(Container container, load_container(context, id));
  if (status_of(container) == Status::stopped) return Error::make(Code::conflict, "container not running");
  if (container.cgroup.empty()) return Error::make(Code::unavailable, "the container has no cgroup: it has no limits");
  TRY(const Host host, host_for(context, container.config, id));
  TRY(const Value resources, wanted_resources(options));
  for (const steps::Step& step : plan::oci::compile_resources(resources, container.cgroup, host.facts)) {
    const int error = sys::write_kernel_file(step.texts[0].c_str(), step.texts[1]);
    if (error != 0 && !step.tolerated) return Error::from_errno(error, "write of " + quote(step.texts[1]) + " to " + step.texts[0]);
  }
  Value merged = container.config["linux"]["resources"];
  for (const Member& group : resources.members()) {
    Value part = merged[group.name()];
    for (const Member& member : group.value.members()) part = part.with(member.name(), member.value);
    merged = merged.with(group.name(), part);
  }
  container.config = container.config.with_path({"linux", "resources"}, merged);
  TRY_VOID(container.save());
  return 0;
}

constexpr Command kCommands[] = {
    {"kill", "ID [SIGNAL]", "sends a signal (TERM) to a container", kKill, run_kill},
    {"delete", "ID", "removes a stopped container", kDelete, run_delete},
    {"pause", "ID", "stops all processes of a container", {}, run_pause},
    {"resume", "ID", "lets a paused container go on", {}, run_resume},
    {"update", "ID", "changes the limits of a container", kUpdate, run_update},
};

}  // namespace

std::span<const Command> control_commands() { return kCommands; }

}  // namespace orch::runc
