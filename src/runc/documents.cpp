#include "runc/documents.h"

#include <string>
#include <vector>

#include "data/json.h"
#include "orch/version.h"
#include "plan/oci/mount_options.h"
#include "plan/oci/names.h"

namespace orch::runc {

namespace {

// A shell with a terminal and few rights, as `runc spec` has it.
constexpr std::string_view kConfig = R"({
  "ociVersion": "1.2.0",
  "hostname": "orch",
  "root": {"path": "rootfs", "readonly": true},
  "process": {
    "terminal": true, "args": ["sh"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "noNewPrivileges": true,
    "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
    "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 1024}],
    "capabilities": {
      "bounding": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
      "effective": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
      "permitted": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]}},
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
    {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
    {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
    {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
    {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}],
  "linux": {
    "resources": {"devices": [{"allow": false, "access": "rwm"}]},
    "namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}, {"type": "cgroup"}],
    "maskedPaths": ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
                    "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"],
    "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]}
})";

constexpr std::string_view kFeatures = R"({
  "ociVersionMin": "1.0.0",
  "ociVersionMax": "1.2.0",
  "hooks": ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
  "linux": {
    "cgroup": {"v1": false, "v2": true, "systemd": false, "systemdUser": false, "rdma": false},
    "seccomp": {
      "enabled": true,
      "actions": ["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
                  "SCMP_ACT_LOG", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP"],
      "operators": ["SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE"],
      "knownFlags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"],
      "supportedFlags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"]},
    "apparmor": {"enabled": false},
    "selinux": {"enabled": false},
    "intelRdt": {"enabled": false},
    "mountExtensions": {"idmap": {"enabled": false}}},
  "annotations": {}
})";

template <class Names>
Value texts(const Names& names) {
  std::vector<Value> items;
  for (const auto& name : names) items.emplace_back(std::string_view(name));
  return Value::list(std::move(items));
}

// The texts above are ours: they parse (a test says so).
Value parsed(std::string_view text) {
  auto value = parse_json(text);
  return value.ok() ? *value : Value();
}

}  // namespace

Value default_config() { return parsed(kConfig); }

Value rootless_config(Value config, unsigned uid, unsigned gid) {
  std::vector<Value> namespaces, mounts;
  for (const Value& item : config["linux"]["namespaces"].items()) {
    if (item["type"].as_string() != "network") namespaces.push_back(item);
  }
  namespaces.push_back(Value::object({{"type", "user"}}));
  for (const Value& mount : config["mounts"].items()) {
    const std::string_view target = mount["destination"].as_string();
    if (target == "/dev/pts") {
      std::vector<Value> options;
      for (const Value& option : mount["options"].items()) {
        if (option.as_string() != "gid=5") options.push_back(option);  // nobody of ours
      }
      mounts.push_back(mount.with("options", Value::list(std::move(options))));
    } else if (target == "/sys") {
      // sysfs belongs to the network namespace, which is the host's.
      mounts.push_back(parsed(R"({"destination": "/sys", "type": "none", "source": "/sys", "options": ["rbind", "nosuid", "noexec", "nodev", "ro"]})"));
    } else {
      mounts.push_back(mount);
    }
  }
  const auto map = [](unsigned id) {
    return Value::list({Value::object({{"containerID", 0}, {"hostID", int64_t{id}}, {"size", 1}})});
  };
  const Value linux_part = config["linux"]
                               .with("namespaces", Value::list(std::move(namespaces)))
                               .with("uidMappings", map(uid))
                               .with("gidMappings", map(gid))
                               .without("resources");
  return config.with("mounts", Value::list(std::move(mounts))).with("linux", linux_part);
}

Value features() {
  std::vector<std::string_view> namespaces;
  for (const auto& type : plan::oci::namespace_types()) namespaces.push_back(type.name);
  const Value base = parsed(kFeatures);
  const Value linux_part = base["linux"].with("namespaces", texts(namespaces)).with("capabilities", texts(plan::oci::capability_names()));
  return base.with("linux", linux_part)
      .with("mountOptions", texts(plan::oci::mount_option_names()))
      .with("annotations", Value::object({{"io.orch.version", ORCH_VERSION}}));
}

}  // namespace orch::runc
