#include "agent/disk_pod_maker.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "agent/volumes.h"
#include "data/json.h"
#include "data/quantity.h"
#include "loop/files.h"
#include "plan/oci/default_seccomp.h"
#include "plan/oci/names.h"
#include "plan/pod/container_config.h"

namespace orch::agent {

using loop::Task;
using namespace plan::pod;
namespace fs = std::filesystem;

namespace {

// With their ends: a pod that starts without the API gets the tokens it had.
template <class Tokens>
Value tokens_value(const Tokens& tokens) {
  ObjectBuilder builder;
  for (const auto& [key, token] : tokens) {
    if (token.token.empty()) continue;
    builder.set(key, Value::object({{"token", token.token}, {"expires", format_time(token.expires)}}));
  }
  return std::move(builder).build();
}

Value references_value(const ResolvedReferences& references) {
  auto map = [](const auto& objects) {
    ObjectBuilder builder;
    for (const auto& [name, object] : objects) builder.set(name, object);
    return std::move(builder).build();
  };
  return Value::object({{"configMaps", map(references.config_maps)},
                        {"secrets", map(references.secrets)},
                        {"tokens", tokens_value(references.tokens)},
                        {"services", Value::list(references.services)}});
}

ResolvedReferences references_from(const Value& value) {
  ResolvedReferences references;
  for (const Member& member : value["configMaps"].members()) references.config_maps[std::string(member.name())] = member.value;
  for (const Member& member : value["secrets"].members()) references.secrets[std::string(member.name())] = member.value;
  for (const Member& member : value["tokens"].members()) {
    auto expires = parse_time(member.value["expires"].as_string());
    references.tokens[std::string(member.name())] = {std::string(member.value["token"].as_string()), expires.ok() ? *expires : Instant{}, ""};
  }
  references.services.assign(value["services"].items().begin(), value["services"].items().end());
  return references;
}

struct Checkpoints {
  std::vector<Checkpoint> good;
  std::vector<std::string> damaged;  // paths
};

Checkpoints read_checkpoints(const NodePaths& paths) {
  Checkpoints all;
  std::error_code error;
  for (fs::directory_iterator at(paths.pods(), error), end; !error && at != end; at.increment(error)) {
    const std::string uid = at->path().filename().string();
    auto text = loop::read_file_now(paths.checkpoint(uid));
    if (!text.ok()) continue;
    auto value = parse_json(text.value());
    if (!value.ok() || value.value()["pod"]["metadata"]["uid"].as_string() != uid) {
      all.damaged.push_back(paths.checkpoint(uid));
      continue;
    }
    all.good.push_back({value.value()["pod"], references_from(value.value()["references"])});
  }
  return all;
}

// In place: the file may be bound into a container.
Result<void> write_in_place(const std::string& path, const std::string& content, unsigned mode) {
  int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (fd < 0) return Error::from_errno(errno, path);
  ssize_t n = ::write(fd, content.data(), content.size());
  int number = errno;
  ::fchmod(fd, mode);
  ::close(fd);
  if (n != static_cast<ssize_t>(content.size())) return Error::from_errno(number, path);
  return {};
}

// A file below `root`, which is an image's: links in it lead nowhere else. nullopt: there is none; "": it is no file that
// can be read (a whiteout, a link into another layer).
std::optional<std::string> read_inside(const std::string& root, const std::string& path) {
  constexpr size_t most_bytes = 4 << 20;
  const int directory = ::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return std::nullopt;
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const long fd = ::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how);
  const int number = errno;
  ::close(directory);
  if (fd < 0) return number == ENOENT || number == ENOTDIR ? std::nullopt : std::optional<std::string>("");
  struct stat status{};
  std::string text;
  if (::fstat(static_cast<int>(fd), &status) == 0 && S_ISREG(status.st_mode)) {
    text.resize(std::min<size_t>(static_cast<size_t>(status.st_size), most_bytes));
    const ssize_t size = ::pread(static_cast<int>(fd), text.data(), text.size(), 0);
    text.resize(size > 0 ? static_cast<size_t>(size) : 0);
  }
  ::close(static_cast<int>(fd));
  return text;
}

// A file of an image, out of its layers: the topmost layer that has it counts. Not through links.
std::string read_from_layers(const std::vector<std::string>& layers, const std::string& path) {
  for (const std::string& layer : layers) {
    std::optional<std::string> text = read_inside(layer, path);
    if (text) return std::move(*text);
  }
  return "";
}

// Of volumes on disk; what is in memory exists in the sandbox only.
Result<void> make_sub_paths(const PodView& pod, const Value& config) {
  std::vector<std::string> in_memory;
  for (const Value& volume : pod.spec()["volumes"].items())
    if (volume["emptyDir"]["medium"].as_string() == "Memory") in_memory.push_back("/" + std::string(volume["name"].as_string()));
  for (const Value& mount : config["mounts"].items()) {
    const std::string source(mount["source"].as_string());
    auto is_source = [&](const std::string& name) { return source.ends_with("/volumes" + name); };
    if (!mount.has("subpath") || std::ranges::any_of(in_memory, is_source)) continue;
    TRY_VOID(make_sub_path(source, std::string(mount["subpath"].as_string())));
  }
  return {};
}

}  // namespace

DiskPodMaker::DiskPodMaker(Parts parts, MakerOptions options)
    : loop_(parts.loop),
      options_(std::move(options)),
      allocatable_(std::move(parts.allocatable)),
      log_(parts.log),
      files_(loop_, NodePaths(options_.directory)),
      handlers_(loop_, parts.network, parts.runtime),
      prober_({loop_, handlers_, std::move(parts.log), std::move(parts.tell)}) {}

Surroundings DiskPodMaker::surroundings(std::vector<std::string> pod_ips) const {
  return {std::move(pod_ips), options_.node_ips, allocatable_()};
}

Task<std::vector<Checkpoint>> DiskPodMaker::load_checkpoints() {
  auto work = [paths = paths()] { return read_checkpoints(paths); };
  Checkpoints all = co_await loop::offload(loop_, work);
  for (const std::string& path : all.damaged)
    log_.warn("a pod kept on disk is damaged; it comes back when the API names it", {{"file", path}});
  co_return std::move(all.good);
}

Task<void> DiskPodMaker::save_checkpoint(Checkpoint checkpoint) {
  std::string uid(checkpoint.pod["metadata"]["uid"].as_string());
  auto work = [path = paths().checkpoint(uid), directory = paths().pod(uid),
               value = Value::object({{"pod", checkpoint.pod}, {"references", references_value(checkpoint.references)}})]() -> Result<void> {
    TRY_VOID(make_directories(directory, 0755));
    return loop::write_file_atomic_now(path, format_json(value), 0600);
  };
  Result<void> saved = co_await loop::offload(loop_, work);
  co_await std::move(saved);
}

Task<std::optional<Failure>> DiskPodMaker::prepare(PodView pod, ResolvedReferences references) {
  std::vector<std::string> ips;
  for (const Value& ip : pod.status()["podIPs"].items()) ips.emplace_back(ip["ip"].as_string());
  auto work = [pod, references, around = surroundings(ips), paths = paths(), now = loop_.wall(),
               resolv = resolv_conf(pod, options_.dns)]() -> std::optional<Failure> {
    if (auto failed = prepare_pod_directory(pod, paths, references, around, now)) return failed;
    for (const auto& [path, text] : {std::pair(paths.resolv_conf(pod.uid()), resolv),
                                     std::pair(paths.hostname(pod.uid()), pod.hostname() + "\n")})
      if (auto written = write_in_place(path, text, 0644); !written.ok()) return Failure{"", written.error().message(), "pod"};
    return std::nullopt;
  };
  co_return co_await loop::offload(loop_, work);
}

Task<void> DiskPodMaker::addressed(PodView pod, std::vector<std::string> ips) {
  auto work = [pod, ips, path = paths().hosts(pod.uid()), domain = options_.dns.cluster_domain] {
    auto host_file = loop::read_file_now("/etc/hosts", 1 << 20);
    return write_in_place(path, hosts_file(pod, ips, domain, host_file.ok() ? host_file.value() : ""), 0644);
  };
  Result<void> written = co_await loop::offload(loop_, work);
  co_await std::move(written);
}

Result<runtime::SandboxSpec> DiskPodMaker::sandbox_spec(const PodView& pod, uint32_t attempt) {
  runtime::SandboxSpec spec;
  spec.pod_uid = pod.uid();
  spec.ns = pod.ns();
  spec.name = pod.name();
  spec.attempt = attempt;
  spec.hostname = pod.hostname();
  spec.domainname = "";
  if (pod.spec()["setHostnameAsFQDN"].as_bool() && !pod.domainname(options_.dns.cluster_domain).empty())
    spec.hostname += "." + pod.domainname(options_.dns.cluster_domain);
  spec.host_network = pod.host_network();
  spec.host_pid = pod.spec()["hostPID"].as_bool();
  spec.host_ipc = pod.spec()["hostIPC"].as_bool();
  spec.share_process_namespace = pod.spec()["shareProcessNamespace"].as_bool();
  for (const Value& sysctl : pod.spec()["securityContext"]["sysctls"].items())
    spec.sysctls.emplace_back(sysctl["name"].as_string(), sysctl["value"].as_string());
  spec.cgroup = cgroup_of(pod);
  spec.resources = pod_resources(pod);
  for (const Value& volume : pod.spec()["volumes"].items()) {
    if (volume["emptyDir"]["medium"].as_string() != "Memory") continue;
    spec.shared_memory.push_back({paths().volume(pod.uid(), volume["name"].as_string()),
                                  Quantity::from(volume["emptyDir"]["sizeLimit"]).value()});
  }
  spec.oom_score_adj = -998;
  return spec;
}

Task<runtime::ContainerSpec> DiskPodMaker::container_spec(ContainerRequest request) {
  const Value& spec = request.container.spec;
  auto work = [request, around = surroundings(request.pod_ips), paths = paths()]() -> Result<ContainerConfig> {
    Accounts accounts{read_from_layers(request.image.layers, "/etc/passwd"), read_from_layers(request.image.layers, "/etc/group")};
    ContainerConfigRequest wanted{request.pod, request.container, request.references, around, paths,
                                  request.image.config, accounts, request.attempt};
    TRY(ContainerConfig made, make_container_config(wanted));
    TRY_VOID(make_sub_paths(request.pod, made.config));
    const std::string log = paths.log(request.pod, request.container.name(), request.attempt);
    TRY_VOID(make_directories(log.substr(0, log.rfind('/')), 0755));
    const std::string message = paths.termination_log(request.pod.uid(), request.container.name(), request.attempt);
    TRY_VOID(make_directories(message.substr(0, message.rfind('/')), 0755));
    TRY_VOID(write_in_place(message, "", 0666));
    return made;
  };
  Result<ContainerConfig> result = co_await loop::offload(loop_, work);
  ContainerConfig made = co_await std::move(result);
  if (made.seccomp == Seccomp::runtime_default) {
    uint64_t bounding = plan::oci::capability_set(made.config["process"]["capabilities"]["bounding"]);
    made.config = made.config.with_path({"linux", "seccomp"}, plan::oci::default_seccomp(bounding));
  } else if (made.seccomp == Seccomp::localhost) {
    if (made.seccomp_file.find("..") != std::string::npos) co_await loop::fail(Error::make(Code::invalid, "localhostProfile " + made.seccomp_file + " leaves its directory"));
    std::string text = co_await loop::read_file(loop_, options_.seccomp_directory + "/" + made.seccomp_file);
    Value profile = co_await parse_json(text);
    made.config = made.config.with_path({"linux", "seccomp"}, profile);
  }
  runtime::ContainerSpec container;
  container.config = made.config;
  container.log_path = paths().log(request.pod, request.container.name(), request.attempt);
  container.input = spec["stdin"].as_bool();
  container.input_once = spec["stdinOnce"].as_bool();
  container.terminal = spec["tty"].as_bool();
  co_return std::move(container);
}

Task<void> DiskPodMaker::run_hook(PodView pod, ContainerView container, std::string container_id, Value handler,
                                  std::vector<std::string> pod_ips, Duration limit) {
  HandlerTarget target{std::string(pod.uid()), std::move(container_id), pod_ips.empty() ? "" : pod_ips.front(), container.spec};
  return handlers_.run_hook(std::move(target), std::move(handler), limit);
}

Task<std::string> DiskPodMaker::termination_message(PodView pod, ContainerView container, uint32_t attempt, bool failed) {
  return files_.termination_message(std::move(pod), std::move(container), attempt, failed);
}
Task<void> DiskPodMaker::remove_log(PodView pod, std::string container, uint32_t attempt) {
  return files_.remove_log(std::move(pod), std::move(container), attempt);
}
Task<void> DiskPodMaker::remove_files(std::string pod_uid, std::string ns, std::string name) {
  return files_.remove_pod(std::move(pod_uid), std::move(ns), std::move(name));
}
Task<void> DiskPodMaker::remove_files_except(std::vector<std::string> pod_uids) { return files_.remove_except(std::move(pod_uids)); }

void DiskPodMaker::watch_probes(const PodView& pod, const SandboxRecord* sandbox, const std::vector<std::string>& pod_ips,
                                std::function<void()> changed) {
  prober_.watch(pod, sandbox, pod_ips, std::move(changed));
}
const ProbeResults& DiskPodMaker::probe_results(std::string_view pod_uid) const { return prober_.results(pod_uid); }
void DiskPodMaker::stop_probes(std::string_view pod_uid) { prober_.stop(pod_uid); }

}  // namespace orch::agent
