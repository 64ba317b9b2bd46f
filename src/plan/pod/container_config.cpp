#include "plan/pod/container_config.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "plan/pod/container_mounts.h"
#include "plan/pod/container_resources.h"
#include "plan/pod/events.h"

namespace orch::plan::pod {

namespace {

constexpr std::string_view default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
// containerd's and docker's.
constexpr std::string_view default_capabilities[] = {
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
    "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"};
constexpr std::string_view all_capabilities[] = {
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
    "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
    "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ",
    "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE"};
// containerd's DefaultMaskedPaths and -ReadonlyPaths.
constexpr std::string_view masked_paths[] = {"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                                             "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
                                             "/sys/firmware", "/sys/devices/virtual/powercap"};
constexpr std::string_view readonly_paths[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

template <class Range>
Value strings(const Range& texts) {
  std::vector<Value> list;
  for (const auto& text : texts) list.emplace_back(std::string_view(text));
  return Value::list(std::move(list));
}

// A setting of the container, else of the pod.
const Value& setting(const ContainerConfigRequest& request, std::string_view name) {
  const Value& own = request.container.spec["securityContext"][name];
  return own.is_null() ? request.pod.spec()["securityContext"][name] : own;
}

bool is_privileged(const ContainerConfigRequest& request) {
  return request.container.spec["securityContext"]["privileged"].as_bool();
}

Result<Identity> identity_of(const ContainerConfigRequest& request) {
  std::string user(request.image_config["config"]["User"].as_string());
  const Value& uid = setting(request, "runAsUser");
  const Value& gid = setting(request, "runAsGroup");
  if (uid.is_int()) user = std::to_string(uid.as_int());
  const std::string where = " (pod: " + quote(format_pod(request.pod)) + ", container: " + std::string(request.container.name()) + ")";
  const bool never_root = setting(request, "runAsNonRoot").as_bool();
  const std::string name = user.substr(0, user.find(':'));
  if (never_root && !name.empty() && !parse_int(name)) {
    return Error::make(Code::invalid, "container has runAsNonRoot and image has non-numeric user (" + name +
                                          "), cannot verify user is non-root" + where);
  }
  TRY(Identity identity, find_identity(request.accounts, user));
  if (gid.is_int()) identity.gid = gid.as_int();
  if (never_root && identity.uid == 0) {
    return Error::make(Code::invalid, uid.is_int() ? "container's runAsUser breaks non-root policy" + where
                                                   : "container has runAsNonRoot and image will run as root" + where);
  }
  const bool strict = request.pod.spec()["securityContext"]["supplementalGroupsPolicy"].as_string() == "Strict";
  if (strict) identity.groups.clear();
  const Value& pod_context = request.pod.spec()["securityContext"];
  for (const Value& group : pod_context["supplementalGroups"].items()) identity.groups.push_back(group.as_int());
  if (pod_context["fsGroup"].is_int()) identity.groups.push_back(pod_context["fsGroup"].as_int());
  return identity;
}

Value user_value(const Identity& identity) {
  std::set<int64_t> groups(identity.groups.begin(), identity.groups.end());
  groups.insert(identity.gid);
  std::vector<Value> list;
  for (int64_t group : groups) list.emplace_back(group);
  return Value::object({{"uid", identity.uid}, {"gid", identity.gid}, {"additionalGids", Value::list(std::move(list))}});
}

std::string capability_name(const Value& name) {
  std::string text = to_upper(name.as_string());
  return text.starts_with("CAP_") || text == "ALL" ? text : "CAP_" + text;
}

Value capabilities_of(const ContainerConfigRequest& request, int64_t uid) {
  std::set<std::string> set;
  if (is_privileged(request)) {
    set.insert(std::begin(all_capabilities), std::end(all_capabilities));
  } else {
    const Value& wanted = request.container.spec["securityContext"]["capabilities"];
    set.insert(std::begin(default_capabilities), std::end(default_capabilities));
    auto change = [&](const Value& names, bool add) {
      for (const Value& each : names.items()) {
        std::string name = capability_name(each);
        if (name != "ALL") {
          add ? (void)set.insert(name) : (void)set.erase(name);
        } else if (add) {
          set.insert(std::begin(all_capabilities), std::end(all_capabilities));
        } else {
          set.clear();
        }
      }
    };
    // Dropping ALL comes before what is added one by one; dropping single ones after adding ALL.
    const bool add_all = std::ranges::any_of(wanted["add"].items(), [](const Value& v) { return capability_name(v) == "ALL"; });
    change(wanted[add_all ? "add" : "drop"], add_all);
    change(wanted[add_all ? "drop" : "add"], !add_all);
  }
  Value list = strings(set);
  Value none = Value::empty_list();
  // As execve(2) would leave them for a user that is not root.
  return Value::object({{"bounding", list}, {"effective", uid == 0 ? list : none}, {"permitted", uid == 0 ? list : none},
                        {"inheritable", none}, {"ambient", none}});
}

Result<std::vector<std::string>> arguments_of(const ContainerConfigRequest& request, const Environment& environment) {
  const Value& image = request.image_config["config"];
  const Value& spec = request.container.spec;
  std::vector<std::string> arguments;
  auto add = [&](const Value& list, bool expanded) {
    for (const Value& item : list.items()) arguments.push_back(expanded ? expand(item.as_string(), environment) : std::string(item.as_string()));
  };
  // command replaces ENTRYPOINT and CMD, args replaces CMD.
  if (!spec["command"].empty()) {
    add(spec["command"], true);
    add(spec["args"], true);
  } else {
    add(image["Entrypoint"], false);
    spec["args"].empty() ? add(image["Cmd"], false) : add(spec["args"], true);
  }
  if (arguments.empty()) return Error::make(Code::invalid, "no command specified");
  return arguments;
}

std::vector<std::string> environment_texts(const ContainerConfigRequest& request, const Environment& environment, const Identity& identity) {
  Environment all;
  auto put = [&](std::string name, std::string value) {
    auto at = std::ranges::find_if(all, [&](const auto& entry) { return entry.first == name; });
    at == all.end() ? (void)all.emplace_back(std::move(name), std::move(value)) : (void)(at->second = std::move(value));
  };
  put("PATH", std::string(default_path));
  put("HOSTNAME", request.pod.hostname());
  if (request.pod.host_network()) all.pop_back();
  if (request.container.spec["tty"].as_bool()) put("TERM", "xterm");
  for (const Value& text : request.image_config["config"]["Env"].items())
    if (auto parts = split_once(text.as_string(), '=')) put(std::string(parts->first), std::string(parts->second));
  for (const auto& [name, value] : environment) put(name, value);
  if (std::ranges::none_of(all, [](const auto& entry) { return entry.first == "HOME"; })) put("HOME", identity.home);
  std::vector<std::string> texts;
  for (const auto& [name, value] : all) texts.push_back(name + "=" + value);
  return texts;
}

Result<Value> process_of(const ContainerConfigRequest& request, const Environment& environment) {
  TRY(Identity identity, identity_of(request));
  TRY(auto arguments, arguments_of(request, environment));
  std::string directory(request.container.spec["workingDir"].as_string());
  if (directory.empty()) directory = request.image_config["config"]["WorkingDir"].as_string();
  if (directory.empty()) directory = "/";
  const Value& escalation = request.container.spec["securityContext"]["allowPrivilegeEscalation"];
  ObjectBuilder process;
  process.set("terminal", request.container.spec["tty"].as_bool());
  process.set("user", user_value(identity));
  process.set("args", strings(arguments));
  process.set("env", strings(environment_texts(request, environment, identity)));
  process.set("cwd", directory);
  process.set("capabilities", capabilities_of(request, identity.uid));
  process.set("noNewPrivileges", escalation.is_bool() && !escalation.as_bool());
  process.set("oomScoreAdj", oom_score_adj(request.pod, request.container, request.around.allocatable));
  return std::move(process).build();
}

Value linux_of(const ContainerConfigRequest& request) {
  std::vector<Value> namespaces{Value::object({{"type", "mount"}}), Value::object({{"type", "cgroup"}})};
  const bool shared_pid = request.pod.spec()["shareProcessNamespace"].as_bool() || request.pod.spec()["hostPID"].as_bool();
  if (!shared_pid) namespaces.push_back(Value::object({{"type", "pid"}}));
  ObjectBuilder part;
  part.set("namespaces", Value::list(std::move(namespaces)));
  Value resources = container_resources(request.container.spec["resources"]);
  const bool privileged = is_privileged(request);
  // All devices denied but the usual ones, which the compiler of the configuration adds.
  Value rule = Value::object({{"allow", privileged}, {"access", "rwm"}});
  part.set("resources", resources.with("devices", Value::list({rule})));
  if (!privileged && request.container.spec["securityContext"]["procMount"].as_string() != "Unmasked") {
    part.set("maskedPaths", strings(masked_paths));
    part.set("readonlyPaths", strings(readonly_paths));
  }
  return std::move(part).build();
}

void set_seccomp(const ContainerConfigRequest& request, ContainerConfig& made) {
  if (is_privileged(request)) return;
  // As with kubelet's --seccomp-default: who says nothing gets the runtime's profile.
  const Value& profile = setting(request, "seccompProfile");
  std::string_view type = profile["type"].as_string();
  if (type.empty() || type == "RuntimeDefault") made.seccomp = Seccomp::runtime_default;
  if (type != "Localhost") return;
  made.seccomp = Seccomp::localhost;
  made.seccomp_file = profile["localhostProfile"].as_string();
}

}  // namespace

Result<ContainerConfig> make_container_config(const ContainerConfigRequest& request) {
  TRY(Environment environment, container_environment(request.pod, request.container, request.references, request.around));
  TRY(Value process, process_of(request, environment));
  TRY(auto mounts, container_mounts(request, environment));
  ContainerConfig made;
  set_seccomp(request, made);
  made.config = Value::object(
      {{"ociVersion", "1.2.0"},
       {"process", process},
       {"root", Value::object({{"path", "rootfs"},
                               {"readonly", request.container.spec["securityContext"]["readOnlyRootFilesystem"].as_bool()}})},
       {"mounts", Value::list(std::move(mounts))},
       {"linux", linux_of(request)},
       {"annotations", Value::object({{"io.kubernetes.pod.namespace", request.pod.ns()},
                                      {"io.kubernetes.pod.name", request.pod.name()},
                                      {"io.kubernetes.container.name", request.container.name()}})}});
  return made;
}

}  // namespace orch::plan::pod
