#include "runc/container.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "data/json.h"
#include "linux/raw.h"
#include "loop/files.h"

namespace orch::runc {

std::string_view status_name(Status status) {
  constexpr std::string_view kNames[] = {"creating", "created", "running", "paused", "stopped"};
  return kNames[static_cast<size_t>(status)];
}

Result<void> check_id(const std::string& id) {
  const auto fits = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '+' || c == '-' || c == '.';
  };
  if (id.empty() || id == "." || id == ".." || id.size() > 1024 || !std::ranges::all_of(id, fits)) {
    return Error::make(Code::invalid, "invalid container ID format: " + quote(id) + "; letters, digits and _+-. are possible");
  }
  return {};
}

Result<void> Container::save() const {
  const Value value = Value::object({{"id", id},
                                     {"bundle", bundle},
                                     {"rootfs", rootfs},
                                     {"cgroup", cgroup},
                                     {"config", config},
                                     {"created", created.ns},
                                     {"pid", int64_t{pid}},
                                     {"started", started},
                                     {"creating", creating}});
  return replace_file(directory + "/state.json", format_json(value), 0600);
}

Result<void> replace_file(const std::string& path, std::string_view content, unsigned mode) {
  const std::string temporary = path + ".new";
  sys::Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!file.ok()) return Error::from_errno(errno, "open " + temporary);
  if (const int error = sys::write_all(file.get(), content)) return Error::from_errno(error, "write " + temporary);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return Error::from_errno(errno, "rename to " + path);
  return {};
}

Result<Container> load_container(const Context& context, const std::string& id) {
  TRY_VOID(check_id(id));
  Container container;
  container.id = id;
  container.directory = context.root + "/" + id;
  auto text = loop::read_file_now(container.directory + "/state.json");
  if (!text.ok()) return Error::make(Code::not_found, "container does not exist");
  auto value = parse_json(*text);
  if (!value.ok()) return std::move(value).error().with_context(container.directory + "/state.json");
  container.bundle = std::string((*value)["bundle"].as_string());
  container.rootfs = std::string((*value)["rootfs"].as_string());
  container.cgroup = std::string((*value)["cgroup"].as_string());
  container.config = (*value)["config"];
  container.created = Instant{(*value)["created"].as_int()};
  container.pid = static_cast<pid_t>((*value)["pid"].as_int());
  container.started = static_cast<uint64_t>((*value)["started"].as_int());
  container.creating = (*value)["creating"].as_bool();
  return container;
}

Result<std::vector<Container>> load_all(const Context& context) {
  std::vector<Container> containers;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(context.root, error)) {
    auto container = load_container(context, entry.path().filename().string());
    // One that is being made or deleted at this moment has no state to show.
    if (container.ok()) containers.push_back(std::move(container).value());
  }
  std::ranges::sort(containers, {}, &Container::id);
  return containers;
}

uint64_t process_start(pid_t pid) {
  auto text = loop::read_file_now("/proc/" + std::to_string(pid) + "/stat");
  if (!text.ok()) return 0;
  // The name, in parentheses, may hold anything: what counts starts behind the last one.
  const size_t name_end = text->rfind(')');
  if (name_end == std::string::npos) return 0;
  const auto fields = split(std::string_view(*text).substr(name_end + 2), ' ');
  if (fields.size() < 20 || fields[0] == "Z" || fields[0] == "X") return 0;
  return parse_uint(fields[19]).value_or(0);
}

Status status_of(const Container& container) {
  const uint64_t start = container.pid > 0 ? process_start(container.pid) : 0;
  if (start == 0 || start != container.started) return container.creating && container.pid == 0 ? Status::creating : Status::stopped;
  if (container.creating) return Status::creating;
  if (!container.cgroup.empty()) {
    auto frozen = loop::read_file_now(container.cgroup + "/cgroup.freeze");
    if (frozen.ok() && trim(*frozen) == "1") return Status::paused;
  }
  return ::access(container.fifo().c_str(), F_OK) == 0 ? Status::created : Status::running;
}

Value state_value(const Container& container, Status status) {
  ObjectBuilder state;
  state.set("ociVersion", container.config["ociVersion"])
      .set("id", container.id)
      .set("pid", int64_t{status == Status::stopped ? 0 : container.pid})
      .set("status", status_name(status))
      .set("bundle", container.bundle)
      .set("rootfs", container.rootfs)
      .set("created", format_micro_time(container.created))
      .set_if("annotations", container.config["annotations"])
      .set("owner", "");
  return std::move(state).build();
}

namespace {

void add_processes(const std::string& cgroup, std::vector<pid_t>& pids) {
  auto text = loop::read_file_now(cgroup + "/cgroup.procs");
  if (!text.ok()) return;
  for (std::string_view line : split(*text, '\n')) {
    if (auto pid = parse_int(line); pid && *pid > 0) pids.push_back(static_cast<pid_t>(*pid));
  }
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(cgroup, error)) {
    if (entry.is_directory(error)) add_processes(entry.path().string(), pids);
  }
}

}  // namespace

std::vector<pid_t> processes_of(const Container& container) {
  std::vector<pid_t> pids;
  if (!container.cgroup.empty()) add_processes(container.cgroup, pids);
  if (container.cgroup.empty() && process_start(container.pid) == container.started) pids.push_back(container.pid);
  return pids;
}

}  // namespace orch::runc
