#include "linux/host_facts.h"

#include <arpa/inet.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <sys/utsname.h>

#include <ctime>
#include <vector>

#include "base/text.h"
#include "linux/kernel_trials.h"
#include "linux/raw.h"
#include "plan/oci/names.h"

namespace orch::sys {

namespace {

// "" where there is none; enough for what the kernel says of itself.
std::string read_text(const char* path) {
  static char buffer[256 * 1024];
  const ssize_t n = read_small_file(path, buffer, sizeof buffer);
  return n > 0 ? std::string(buffer, static_cast<size_t>(n)) : std::string();
}

Value list_of_words(std::string_view text) {
  std::vector<Value> words;
  for (std::string_view word : split(text, ' ')) {
    if (!word.empty()) words.emplace_back(word);
  }
  return Value::list(std::move(words));
}

Value missing_capabilities() {
  const std::string status = read_text("/proc/self/status");
  const size_t at = status.find("CapEff:\t");
  const uint64_t effective = at == std::string::npos ? 0 : std::strtoull(status.c_str() + at + 8, nullptr, 16);
  std::vector<Value> missing;
  const auto names = plan::oci::capability_names();
  for (size_t i = 0; i < names.size(); ++i) {
    if (!(effective >> i & 1)) missing.emplace_back(names[i]);
  }
  return Value::list(std::move(missing));
}

Value namespaces() {
  ObjectBuilder errors;
  for (const auto& type : plan::oci::namespace_types()) errors.set(type.name, try_unshare(type.flag));
  return std::move(errors).build();
}

// /proc/cgroups: "memory 0 57 0": name, hierarchy (0: v2's), cgroups, enabled.
void add_controllers(ObjectBuilder& cgroup) {
  std::vector<Value> v1, disabled;
  const std::string text = read_text("/proc/cgroups");
  for (std::string_view line : split(text, '\n')) {
    std::vector<std::string_view> fields = split(line, '\t');
    if (fields.size() < 4 || line.starts_with('#')) continue;
    if (trim(fields[3]) == "0") disabled.emplace_back(fields[0]);
    if (fields[1] != "0") v1.emplace_back(fields[0]);
  }
  cgroup.set("v1", Value::list(std::move(v1))).set("disabled", Value::list(std::move(disabled)));
}

// proc_pid_mountinfo(5): the fifth field is the place; behind " - " stands the type.
std::string cgroup_mount() {
  const std::string text = read_text("/proc/self/mountinfo");
  for (std::string_view line : split(text, '\n')) {
    const size_t dash = line.find(" - cgroup2 ");
    if (dash == std::string_view::npos) continue;
    const auto fields = split(line.substr(0, dash), ' ');
    if (fields.size() > 4) return std::string(fields[4]);
  }
  return {};
}

Value cgroup() {
  ObjectBuilder facts;
  const std::string mount = cgroup_mount();
  facts.set("mount", mount);
  add_controllers(facts);
  if (mount.empty()) return std::move(facts).build();
  facts.set("controllers", list_of_words(trim(read_text((mount + "/cgroup.controllers").c_str()))));
  const std::string trial = mount + "/orch-check-" + std::to_string(::getpid());
  const bool made = ::mkdir(trial.c_str(), 0755) == 0;
  facts.set("write", made ? 0 : errno);
  if (made) ::rmdir(trial.c_str());
  return std::move(facts).build();
}

bool has_seccomp() {
  const uint32_t action = SECCOMP_RET_ERRNO;
  return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

Value network() {
  return Value::object({{"nf_tables", try_nf_tables()},
                        {"veth", try_link("veth")},
                        {"bridge", try_link("bridge")},
                        {"vxlan", try_link("vxlan")},
                        {"br_netfilter", ::access("/proc/sys/net/bridge/bridge-nf-call-iptables", F_OK) == 0}});
}

bool port_is_free(uint16_t port) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

Value ports() {
  std::vector<Value> list;
  for (int port : {6443, 10250}) {
    list.push_back(Value::object({{"port", port}, {"free", port_is_free(static_cast<uint16_t>(port))}}));
  }
  return Value::list(std::move(list));
}

bool answers(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() + 1 > sizeof address.sun_path) return false;
  path.copy(address.sun_path, path.size());
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return socket.ok() && ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

Value clock_facts() {
  const time_t now = ::time(nullptr);
  tm parts{};
  ::gmtime_r(&now, &parts);
  timex state{};
  const bool synchronized = ::adjtimex(&state) >= 0 && (state.status & STA_UNSYNC) == 0;
  return Value::object({{"year", parts.tm_year + 1900}, {"synchronized", synchronized}});
}

// Of the nearest directory that is there: the data directory may not have been made yet.
Value disk(std::string path) {
  struct statvfs facts{};
  while (::statvfs(path.c_str(), &facts) != 0) {
    const size_t slash = path.rfind('/');
    if (slash == std::string::npos || path == "/") return Value::object({{"path", path}});
    path.resize(slash == 0 ? 1 : slash);
  }
  const auto bytes = [&facts](uint64_t blocks) { return static_cast<int64_t>(blocks * facts.f_frsize); };
  return Value::object({{"path", path},
                        {"free", bytes(facts.f_bavail)},
                        {"total", bytes(facts.f_blocks)},
                        {"free_inodes", static_cast<int64_t>(facts.f_favail)},
                        {"total_inodes", static_cast<int64_t>(facts.f_files)},
                        {"read_only", (facts.f_flag & ST_RDONLY) != 0}});
}

Value limits() {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  // The hard one: the program raises its own soft limit.
  const auto count = files.rlim_max == RLIM_INFINITY ? int64_t{1} << 30 : static_cast<int64_t>(files.rlim_max);
  const std::string instances = read_text("/proc/sys/fs/inotify/max_user_instances");
  return Value::object({{"files", count}, {"inotify_instances", parse_int(trim(instances)).value_or(0)}});
}

}  // namespace

Value gather_host_facts(const std::string& data_dir) {
  utsname names{};
  ::uname(&names);
  struct sysinfo machine{};
  ::sysinfo(&machine);
  std::string model = read_text("/proc/device-tree/model");
  while (!model.empty() && model.back() == '\0') model.pop_back();
  return Value::object({{"uid", int64_t{::geteuid()}},
                        {"kernel", std::string_view(names.release)},
                        {"machine", model},
                        {"capabilities_missing", missing_capabilities()},
                        {"namespaces", namespaces()},
                        {"cgroup", cgroup()},
                        {"overlay", try_overlay()},
                        {"seccomp", has_seccomp()},
                        {"network", network()},
                        {"ports", ports()},
                        {"server_running", answers(data_dir + "/orch.sock")},
                        {"clock", clock_facts()},
                        {"disk", disk(data_dir)},
                        {"memory", static_cast<int64_t>(machine.totalram) * machine.mem_unit},
                        {"limits", limits()}});
}

}  // namespace orch::sys
