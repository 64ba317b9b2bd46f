#include "agent/machine_facts.h"

#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "loop/files.h"

namespace orch::agent {

namespace {

constexpr size_t most_bytes = 64 * 1024;

std::string read(const std::string& path) { return loop::read_file_now(path, most_bytes).value_or(""); }
std::string read_word(const std::string& path) { return std::string(trim(read(path))); }
int64_t read_number(const std::string& path) { return parse_int(read_word(path)).value_or(0); }

std::map<int64_t, int64_t> read_huge_pages() {
  std::map<int64_t, int64_t> pages;
  std::error_code error;
  for (std::filesystem::directory_iterator at("/sys/kernel/mm/hugepages", error), end; !error && at != end; at.increment(error)) {
    std::string name = at->path().filename().string();  // "hugepages-2048kB"
    if (!name.starts_with("hugepages-") || !name.ends_with("kB")) continue;
    auto kibibytes = parse_int(std::string_view(name).substr(10, name.size() - 12));
    if (kibibytes) pages[*kibibytes * 1024] = read_number(at->path().string() + "/nr_hugepages");
  }
  return pages;
}

}  // namespace

int64_t parse_meminfo(std::string_view text, std::string_view name) {
  for (std::string_view line : split(text, '\n')) {
    auto parts = split_once(line, ':');
    if (!parts || parts->first != name) continue;
    std::string_view number = trim(parts->second);
    return parse_int(number.substr(0, number.find(' '))).value_or(0) * 1024;
  }
  return 0;
}

std::string parse_os_release(std::string_view text) {
  for (std::string_view line : split(text, '\n')) {
    auto parts = split_once(line, '=');
    if (!parts || parts->first != "PRETTY_NAME") continue;
    std::string_view value = trim(parts->second);
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front())
      value = value.substr(1, value.size() - 2);
    return std::string(value);
  }
  return "Linux";
}

// "0.20 0.18 0.12 1/80 11206": runnable and existing threads.
int64_t parse_loadavg_processes(std::string_view text) {
  auto words = split(text, ' ');
  if (words.size() < 4) return 0;
  auto parts = split_once(words[3], '/');
  return parts ? parse_int(parts->second).value_or(0) : 0;
}

std::string go_architecture(std::string_view machine) {
  constexpr std::pair<std::string_view, std::string_view> names[] = {
      {"x86_64", "amd64"}, {"aarch64", "arm64"}, {"armv7l", "arm"}, {"armv6l", "arm"}, {"i686", "386"}};
  for (const auto& [kernel, go] : names)
    if (machine == kernel) return std::string(go);
  return std::string(machine);
}

plan::MachineFacts read_machine_facts(const std::string& data_directory) {
  plan::MachineFacts facts;
  facts.cpus = std::max<int64_t>(1, ::sysconf(_SC_NPROCESSORS_ONLN));
  const std::string memory = read("/proc/meminfo");
  facts.memory_bytes = parse_meminfo(memory, "MemTotal");
  facts.memory_available_bytes = parse_meminfo(memory, "MemAvailable");
  struct statvfs disk{};
  if (::statvfs(data_directory.c_str(), &disk) == 0) {
    facts.disk_bytes = static_cast<int64_t>(disk.f_blocks) * static_cast<int64_t>(disk.f_frsize);
    facts.disk_available_bytes = static_cast<int64_t>(disk.f_bavail) * static_cast<int64_t>(disk.f_frsize);
    facts.inodes = static_cast<int64_t>(disk.f_files);
    facts.inodes_free = static_cast<int64_t>(disk.f_favail);
  }
  facts.processes_limit = read_number("/proc/sys/kernel/pid_max");
  const int64_t threads = read_number("/proc/sys/kernel/threads-max");
  if (threads > 0) facts.processes_limit = std::min(facts.processes_limit, threads);
  facts.processes = parse_loadavg_processes(read("/proc/loadavg"));
  facts.huge_pages = read_huge_pages();
  utsname name{};
  ::uname(&name);
  facts.architecture = go_architecture(name.machine);
  facts.kernel_version = name.release;
  facts.os_image = parse_os_release(read("/etc/os-release"));
  facts.machine_id = read_word("/etc/machine-id");
  facts.system_uuid = read_word("/sys/class/dmi/id/product_uuid");
  if (facts.system_uuid.empty()) facts.system_uuid = facts.machine_id;
  facts.boot_id = read_word("/proc/sys/kernel/random/boot_id");
  return facts;
}

}  // namespace orch::agent
