#include "runtime/cgroups.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "base/text.h"
#include "linux/raw.h"
#include "loop/files.h"

namespace orch::runtime {

namespace {

std::string read_text(const std::string& path) {
  auto text = loop::read_file_now(path, 1 << 20);
  return text.ok() ? std::string(trim(*text)) : std::string();
}

std::set<std::string> words_of(std::string_view text) {
  std::set<std::string> words;
  for (std::string_view word : split(text, ' ')) {
    if (!word.empty()) words.emplace(word);
  }
  return words;
}

std::optional<uint64_t> number_in(const std::string& path) { return parse_uint(read_text(path)); }

// "usage_usec 17\nuser_usec 9": the number behind a key.
std::optional<uint64_t> keyed_number(std::string_view text, std::string_view key) {
  for (std::string_view line : split(text, '\n')) {
    auto pair = split_once(line, ' ');
    if (pair && pair->first == key) return parse_uint(pair->second);
  }
  return std::nullopt;
}

std::vector<std::string> children_of(const std::string& path) {
  std::vector<std::string> children;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    if (entry.is_directory(error)) children.push_back(entry.path().string());
  }
  return children;
}

}  // namespace

// proc_pid_mountinfo(5): "36 35 98:0 /root /mount/point options optional... - type source super"
Result<std::string> find_cgroup_mount(std::string_view mountinfo) {
  for (std::string_view line : split(mountinfo, '\n')) {
    const size_t dash = line.find(" - ");
    if (dash == std::string_view::npos || !line.substr(dash + 3).starts_with("cgroup2 ")) continue;
    const auto fields = split(line.substr(0, dash), ' ');
    if (fields.size() >= 5) return std::string(fields[4]);
  }
  return Error::make(Code::not_found,
                     "no cgroup v2 hierarchy is mounted; mount one: mount -t cgroup2 none /sys/fs/cgroup");
}

Result<CgroupMount> open_cgroup_mount() {
  TRY(std::string mountinfo, loop::read_file_now("/proc/self/mountinfo"));
  CgroupMount mount;
  TRY(mount.path, find_cgroup_mount(mountinfo));
  mount.controllers = words_of(read_text(mount.path + "/cgroup.controllers"));
  return mount;
}

Result<std::set<std::string>> make_node_cgroup(const CgroupMount& mount, const std::string& path) {
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return Error::from_errno(errno, "mkdir " + path);
  for (const std::string& directory : {mount.path, path}) {
    // One by one: a controller that is refused does not take the others along.
    for (const std::string& controller : mount.controllers) {
      sys::write_kernel_file((directory + "/cgroup.subtree_control").c_str(), "+" + controller);
    }
  }
  return words_of(read_text(path + "/cgroup.subtree_control"));
}

void kill_cgroup(const std::string& path) {
  if (sys::write_kernel_file((path + "/cgroup.kill").c_str(), "1") == 0) return;
  for (const std::string& child : children_of(path)) kill_cgroup(child);
  const std::string processes = read_text(path + "/cgroup.procs");
  for (std::string_view line : split(processes, '\n')) {
    if (auto pid = parse_int(line); pid && *pid > 1) ::kill(static_cast<pid_t>(*pid), SIGKILL);
  }
}

bool remove_cgroup(const std::string& path) {
  if (::rmdir(path.c_str()) == 0 || errno == ENOENT) return true;
  kill_cgroup(path);
  for (const std::string& child : children_of(path)) remove_cgroup(child);
  return ::rmdir(path.c_str()) == 0 || errno == ENOENT;
}

namespace {

// Without the controllers: what the processes say themselves. Shared pages count for each of them.
void add_processes(const std::string& path, uint64_t& count, uint64_t& resident_pages) {
  const std::string processes = read_text(path + "/cgroup.procs");
  for (std::string_view line : split(processes, '\n')) {
    if (line.empty()) continue;
    ++count;
    const std::string sizes = read_text("/proc/" + std::string(line) + "/statm");
    const auto fields = split(sizes, ' ');
    if (fields.size() > 1) resident_pages += parse_uint(fields[1]).value_or(0);
  }
  for (const std::string& child : children_of(path)) add_processes(child, count, resident_pages);
}

}  // namespace

ResourceUsage read_usage(const std::string& path) {
  ResourceUsage usage;
  if (auto us = keyed_number(read_text(path + "/cpu.stat"), "usage_usec")) usage.cpu_ns = *us * 1000;
  usage.memory_bytes = number_in(path + "/memory.current");
  if (usage.memory_bytes) {
    const uint64_t idle = keyed_number(read_text(path + "/memory.stat"), "inactive_file").value_or(0);
    usage.working_set_bytes = *usage.memory_bytes > idle ? *usage.memory_bytes - idle : 0;
  }
  usage.processes = number_in(path + "/pids.current");
  if (!usage.memory_bytes || !usage.processes) {
    uint64_t count = 0, pages = 0;
    add_processes(path, count, pages);
    if (!usage.processes) usage.processes = count;
    if (!usage.memory_bytes) usage.memory_bytes = usage.working_set_bytes = pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  }
  return usage;
}

}  // namespace orch::runtime
