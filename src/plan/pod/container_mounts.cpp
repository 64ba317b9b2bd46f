#include "plan/pod/container_mounts.h"

#include "base/text.h"

namespace orch::plan::pod {

namespace {

Value mount(std::string_view destination, std::string_view type, std::string_view source, std::initializer_list<std::string_view> options) {
  std::vector<Value> list;
  for (std::string_view option : options) list.emplace_back(option);
  return Value::object({{"destination", destination}, {"type", type}, {"source", source}, {"options", Value::list(std::move(list))}});
}

bool mounts_at(const ContainerView& container, std::string_view path) {
  for (const Value& mount : container.spec["volumeMounts"].items())
    if (mount["mountPath"].as_string() == path) return true;
  return false;
}

// runtime-spec's and containerd's defaults.
void add_pseudo_file_systems(const ContainerConfigRequest& request, bool privileged, std::vector<Value>& mounts) {
  mounts.push_back(mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}));
  mounts.push_back(mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}));
  mounts.push_back(mount("/dev/pts", "devpts", "devpts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}));
  mounts.push_back(mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
  mounts.push_back(mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", privileged ? "rw" : "ro"}));
  mounts.push_back(mount("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", privileged ? "rw" : "ro"}));
  // The runtime puts the pod's own in its place.
  if (!mounts_at(request.container, "/dev/shm"))
    mounts.push_back(mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}));
}

void add_pod_files(const ContainerConfigRequest& request, std::vector<Value>& mounts) {
  const PodView& pod = request.pod;
  auto add = [&](std::string_view target, const std::string& source) {
    if (!mounts_at(request.container, target)) mounts.push_back(mount(target, "bind", source, {"bind", "rprivate", "rw"}));
  };
  add("/etc/hosts", request.paths.hosts(pod.uid()));
  add("/etc/resolv.conf", request.paths.resolv_conf(pod.uid()));
  if (!pod.host_network()) add("/etc/hostname", request.paths.hostname(pod.uid()));
  std::string_view message = request.container.spec["terminationMessagePath"].as_string("/dev/termination-log");
  if (!message.empty())
    add(message, request.paths.termination_log(pod.uid(), request.container.name(), request.attempt));
}

std::string_view propagation_of(const Value& mount) {
  std::string_view text = mount["mountPropagation"].as_string();
  if (text == "HostToContainer") return "rslave";
  return text == "Bidirectional" ? "rshared" : "rprivate";
}

Result<Value> volume_mount(const ContainerConfigRequest& request, const Environment& environment, const Value& wanted) {
  const PodView& pod = request.pod;
  std::string_view name = wanted["name"].as_string();
  const Value* volume = nullptr;
  for (const Value& each : pod.spec()["volumes"].items())
    if (each["name"].as_string() == name) volume = &each;
  const std::string source = volume ? volume_source(pod, request.paths, *volume) : "";
  if (source.empty())
    return Error::make(Code::invalid, "cannot find volume " + quote(name) + " to mount into container " + quote(request.container.name()));
  const bool read_only = wanted["readOnly"].as_bool();
  const bool recursive = read_only && wanted["recursiveReadOnly"].as_string() == "Enabled";
  Value made = mount(wanted["mountPath"].as_string(), "bind", source,
                     {"rbind", propagation_of(wanted), recursive ? "rro" : read_only ? "ro" : "rw"});
  std::string sub_path(wanted["subPath"].as_string());
  if (!wanted["subPathExpr"].as_string().empty()) sub_path = expand(wanted["subPathExpr"].as_string(), environment);
  // Resolved beneath the volume by whoever mounts it: a link in it leads nowhere else.
  if (!sub_path.empty()) made = made.with("subpath", sub_path);
  return made;
}

}  // namespace

std::string volume_source(const PodView& pod, const NodePaths& paths, const Value& volume) {
  if (!volume["hostPath"].is_null()) return std::string(volume["hostPath"]["path"].as_string());
  for (std::string_view kind : {"emptyDir", "configMap", "secret", "downwardAPI", "projected"})
    if (!volume[kind].is_null()) return paths.volume(pod.uid(), volume["name"].as_string());
  return "";
}

Result<std::vector<Value>> container_mounts(const ContainerConfigRequest& request, const Environment& environment) {
  std::vector<Value> mounts;
  const bool privileged = request.container.spec["securityContext"]["privileged"].as_bool();
  add_pseudo_file_systems(request, privileged, mounts);
  add_pod_files(request, mounts);
  for (const Value& wanted : request.container.spec["volumeMounts"].items()) {
    TRY(Value made, volume_mount(request, environment, wanted));
    mounts.push_back(std::move(made));
  }
  return mounts;
}

}  // namespace orch::plan::pod
