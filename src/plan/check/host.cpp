#include "plan/check/host.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.h"

namespace orch::plan::check {

namespace {

using Findings = std::vector<Finding>;

bool names(const Value& list, std::string_view name) {
  return std::ranges::any_of(list.items(), [name](const Value& item) { return item.as_string() == name; });
}

std::string why(int64_t error) {
  // The few that mean something here; the rest by their number.
  switch (error) {
    case EPERM: case EACCES: return "not permitted";
    case EINVAL: case ENOSYS: case ENODEV: case EOPNOTSUPP: case EAFNOSUPPORT: case EPROTONOSUPPORT: return "not in this kernel";
    case ENOSPC: return "the limit is 0";
    case EROFS: return "read-only";
    default: return "error " + std::to_string(error);
  }
}

std::string gigabytes(int64_t bytes) {
  const int64_t tenths = bytes / ((int64_t{1} << 30) / 10);
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " GiB";
}

// --- Who and what ---------------------------------------------------------------------

void check_user(const Value& facts, Findings& findings) {
  if (facts["uid"].as_int() == 0) return findings.push_back({Level::fine, "user", "root", ""});
  findings.push_back({Level::missing, "user", "not root: namespaces, mounts and nf_tables need it", "run it with sudo"});
}

struct Capability {
  std::string_view name;
  Level level;
  std::string_view without;
};
constexpr Capability kCapabilities[] = {
    {"CAP_SYS_ADMIN", Level::missing, "no namespaces and no mounts"},
    {"CAP_NET_ADMIN", Level::missing, "no network for pods"},
    {"CAP_SETUID", Level::missing, "containers cannot change their user"},
    {"CAP_SETGID", Level::missing, "containers cannot change their group"},
    {"CAP_MKNOD", Level::gap, "devices are bound from the host"},
    {"CAP_SYS_RESOURCE", Level::gap, "rlimits are not raised, and oom_score_adj is not lowered"},
    {"CAP_SYS_PTRACE", Level::gap, "namespaces of other users' processes cannot be entered"},
};

void check_capabilities(const Value& facts, Findings& findings) {
  if (facts["uid"].as_int() != 0) return;
  size_t absent = 0;
  for (const Capability& capability : kCapabilities) {
    if (!names(facts["capabilities_missing"], capability.name)) continue;
    ++absent;
    findings.push_back({capability.level, "capabilities", "no " + std::string(capability.name) + ": " + std::string(capability.without),
                        "start orch outside of a container, or give it the capability"});
  }
  if (absent == 0) findings.push_back({Level::fine, "capabilities", "all that are needed", ""});
}

// "6.1.0-18-amd64" -> 6001.
int64_t version_number(std::string_view text) {
  const auto parts = split(text, '.');
  if (parts.size() < 2) return 0;
  return parse_int(parts[0]).value_or(0) * 1000 + parse_int(parts[1].substr(0, parts[1].find('-'))).value_or(0);
}

void check_kernel(const Value& facts, Findings& findings) {
  const std::string kernel(facts["kernel"].as_string());
  const int64_t version = version_number(kernel);
  constexpr std::string_view kUpgrade = "upgrade the kernel; Linux 5.14 has everything";
  if (version < 5006) {
    findings.push_back({Level::missing, "kernel", kernel + " is too old: openat2(2) came with 5.6", std::string(kUpgrade)});
  } else if (version < 5012) {
    findings.push_back({Level::gap, "kernel", kernel + ": no recursive read-only mounts (5.12)", std::string(kUpgrade)});
  } else if (version < 5014) {
    findings.push_back({Level::gap, "kernel", kernel + ": no cgroup.kill (5.14); processes are killed one by one", std::string(kUpgrade)});
  } else {
    findings.push_back({Level::fine, "kernel", kernel, ""});
  }
}

// --- What containers are made of -------------------------------------------------------

struct Namespace {
  std::string_view name;
  Level level;
  std::string_view option;  // of the kernel's configuration
};
constexpr Namespace kNamespaces[] = {
    {"mount", Level::missing, "CONFIG_NAMESPACES"}, {"pid", Level::missing, "CONFIG_PID_NS"},
    {"network", Level::missing, "CONFIG_NET_NS"},   {"ipc", Level::missing, "CONFIG_IPC_NS"},
    {"uts", Level::missing, "CONFIG_UTS_NS"},       {"cgroup", Level::gap, "CONFIG_CGROUPS"},
    {"user", Level::gap, "CONFIG_USER_NS"},         {"time", Level::gap, "CONFIG_TIME_NS"},
};

void check_namespaces(const Value& facts, Findings& findings) {
  std::string working;
  for (const Namespace& item : kNamespaces) {
    const int64_t error = facts["namespaces"][item.name].as_int();
    if (error == 0) {
      working += (working.empty() ? "" : " ") + std::string(item.name);
      continue;
    }
    std::string fix = "use a kernel with " + std::string(item.option);
    if (error == EPERM || error == EACCES) fix = "start orch outside of a container, or as a privileged one";
    if (error == ENOSPC) fix = "raise the sysctl user.max_" + std::string(item.name == "mount" ? "mnt" : item.name == "network" ? "net" : item.name) + "_namespaces";
    findings.push_back({item.level, "namespaces", "no " + std::string(item.name) + " namespaces: " + why(error), std::move(fix)});
  }
  if (!working.empty()) findings.push_back({Level::fine, "namespaces", working, ""});
}

struct Controller {
  std::string_view name, what, option;
};
constexpr Controller kControllers[] = {
    {"cpu", "cpu limits and requests", "CONFIG_CGROUP_SCHED and CONFIG_CFS_BANDWIDTH"},
    {"memory", "memory limits", "CONFIG_MEMCG"},
    {"pids", "limits of processes", "CONFIG_CGROUP_PIDS"},
    {"cpuset", "processors that a pod is tied to", "CONFIG_CPUSETS"},
    {"io", "limits of disk traffic", "CONFIG_BLK_CGROUP"},
    {"hugetlb", "limits of huge pages", "CONFIG_CGROUP_HUGETLB"},
};

std::string controller_fix(const Value& facts, const Controller& controller) {
  const Value& cgroup = facts["cgroup"];
  if (names(cgroup["disabled"], controller.name)) {
    const bool pi = facts["machine"].as_string().find("Raspberry Pi") != std::string_view::npos;
    return "add cgroup_enable=" + std::string(controller.name) + " to " +
           (pi ? "the line in /boot/firmware/cmdline.txt" : "the kernel's command line, without cgroup_disable") + ", and reboot";
  }
  const std::string_view v1 = controller.name == "io" ? "blkio" : controller.name;
  if (names(cgroup["v1"], v1)) {
    return "it is in use by cgroup v1: boot with cgroup_no_v1=all (or systemd.unified_cgroup_hierarchy=1) on the kernel's command line";
  }
  return "use a kernel with " + std::string(controller.option);
}

void check_cgroups(const Value& facts, Findings& findings) {
  const Value& cgroup = facts["cgroup"];
  const std::string mount(cgroup["mount"].as_string());
  if (mount.empty()) {
    findings.push_back({Level::missing, "cgroup", "cgroup v2 is not mounted", "mount -t cgroup2 none /sys/fs/cgroup"});
    return;
  }
  if (const int64_t error = cgroup["write"].as_int(); error != 0) {
    findings.push_back({Level::missing, "cgroup", "no directory can be made in " + mount + ": " + why(error),
                        "mount it writable: mount -o remount,rw " + mount});
  } else {
    findings.push_back({Level::fine, "cgroup", "v2 at " + mount, ""});
  }
  for (const Controller& controller : kControllers) {
    const std::string area = "cgroup: " + std::string(controller.name);
    if (names(cgroup["controllers"], controller.name)) {
      findings.push_back({Level::fine, area, std::string(controller.what), ""});
    } else {
      findings.push_back({Level::gap, area, "not enforced: " + std::string(controller.what), controller_fix(facts, controller)});
    }
  }
}

void check_files(const Value& facts, Findings& findings) {
  if (const int64_t error = facts["overlay"].as_int(); error != 0) {
    findings.push_back({Level::missing, "overlayfs", "images cannot be layered: " + why(error),
                        "modprobe overlay, or use a kernel with CONFIG_OVERLAY_FS; the data directory has to be on a file system with d_type (ext4, xfs, btrfs)"});
  } else {
    findings.push_back({Level::fine, "overlayfs", "works", ""});
  }
  if (facts["seccomp"].as_bool()) {
    findings.push_back({Level::fine, "seccomp", "filters", ""});
  } else {
    findings.push_back({Level::missing, "seccomp", "no filters: containers that ask for RuntimeDefault do not start", "use a kernel with CONFIG_SECCOMP_FILTER"});
  }
}

// --- Network ---------------------------------------------------------------------------

struct Link {
  std::string_view name;
  Level level;
  std::string_view without;
};
constexpr Link kLinks[] = {
    {"nf_tables", Level::missing, "no Services and no masquerade"},
    {"veth", Level::missing, "no network for pods"},
    {"bridge", Level::missing, "no network for pods"},
    {"vxlan", Level::gap, "pods of several nodes do not reach each other"},
};

void check_network(const Value& facts, Findings& findings) {
  const Value& network = facts["network"];
  for (const Link& link : kLinks) {
    const std::string area = "network: " + std::string(link.name);
    const int64_t error = network[link.name].as_int();
    if (error == 0) {
      findings.push_back({Level::fine, area, "works", ""});
      continue;
    }
    const bool allowed = error != EPERM && error != EACCES;
    findings.push_back({link.level, area, std::string(link.without) + ": " + why(error),
                        allowed ? "modprobe " + std::string(link.name) : "start orch with CAP_NET_ADMIN"});
  }
  if (network["br_netfilter"].as_bool()) {
    findings.push_back({Level::fine, "network: br_netfilter", "works", ""});
  } else {
    findings.push_back({Level::gap, "network: br_netfilter", "a pod may not reach a Service that a pod of its own node answers",
                        "modprobe br_netfilter (and a line in /etc/modules-load.d/orch.conf)"});
  }
}

void check_ports(const Value& facts, Findings& findings) {
  if (facts["server_running"].as_bool()) return findings.push_back({Level::fine, "ports", "a server of this data directory runs", ""});
  std::string free;
  for (const Value& port : facts["ports"].items()) {
    const std::string number = std::to_string(port["port"].as_int());
    if (port["free"].as_bool()) {
      free += (free.empty() ? "" : " ") + number;
      continue;
    }
    findings.push_back({Level::gap, "ports", "TCP port " + number + " is taken",
                        "end what listens there (ss -ltnp)" + std::string(number == "6443" ? ", or choose another: --https-listen-port" : "")});
  }
  if (!free.empty()) findings.push_back({Level::fine, "ports", free + " free", ""});
}

// --- The machine -------------------------------------------------------------------------

void check_clock(const Value& facts, Findings& findings) {
  constexpr int64_t kYearOfThisProgram = 2025;
  if (facts["clock"]["year"].as_int() < kYearOfThisProgram) {
    findings.push_back({Level::gap, "clock", "it is the year " + std::to_string(facts["clock"]["year"].as_int()) + " here: certificates are not valid yet",
                        "set the time (date -s), and install chrony"});
  } else if (!facts["clock"]["synchronized"].as_bool()) {
    findings.push_back({Level::gap, "clock", "not synchronized", "install chrony or enable systemd-timesyncd"});
  } else {
    findings.push_back({Level::fine, "clock", "synchronized", ""});
  }
}

void check_disk(const Value& facts, Findings& findings) {
  const Value& disk = facts["disk"];
  const std::string path(disk["path"].as_string());
  const int64_t free = disk["free"].as_int(), total = std::max<int64_t>(1, disk["total"].as_int());
  const std::string room = gigabytes(free) + " of " + gigabytes(total) + " free at " + path;
  if (disk["read_only"].as_bool()) {
    findings.push_back({Level::missing, "disk", path + " is on a read-only file system", "choose another place: --data-dir"});
  } else if (free < (int64_t{1} << 30) || free < total / 100 * 10) {
    // kubelet's eviction begins at nodefs.available < 10 %.
    findings.push_back({Level::gap, "disk", room + ": pods are evicted below a tenth", "make room (orch image prune), or choose another place: --data-dir"});
  } else {
    findings.push_back({Level::fine, "disk", room, ""});
  }
  const int64_t inodes = disk["total_inodes"].as_int();
  if (inodes > 0 && disk["free_inodes"].as_int() < inodes / 100 * 5) {
    findings.push_back({Level::gap, "disk", "few inodes are left at " + path, "delete small files, or choose another place: --data-dir"});
  }
}

void check_limits(const Value& facts, Findings& findings) {
  constexpr int64_t kLeastMemory = int64_t{256} << 20, kLeastFiles = 4096, kLeastInstances = 128;
  if (const int64_t memory = facts["memory"].as_int(); memory < kLeastMemory) {
    findings.push_back({Level::gap, "memory", std::to_string(memory >> 20) + " MiB: little room for pods", "give the machine 256 MiB or more"});
  } else {
    findings.push_back({Level::fine, "memory", gigabytes(memory), ""});
  }
  if (const int64_t files = facts["limits"]["files"].as_int(); files < kLeastFiles) {
    findings.push_back({Level::gap, "limits", std::to_string(files) + " open files: too few for many pods", "ulimit -n 65536, or LimitNOFILE= in orch's unit"});
  }
  if (const int64_t instances = facts["limits"]["inotify_instances"].as_int(); instances < kLeastInstances) {
    findings.push_back({Level::gap, "limits", std::to_string(instances) + " inotify instances a user", "sysctl fs.inotify.max_user_instances=512"});
  }
}

constexpr void (*kChecks[])(const Value&, Findings&) = {
    check_user,    check_capabilities, check_kernel, check_namespaces, check_cgroups, check_files,
    check_network, check_ports,        check_clock,  check_disk,       check_limits,
};

std::string counted(size_t count, std::string_view thing) {
  return std::to_string(count) + " " + std::string(thing) + (count == 1 ? "" : "s");
}

}  // namespace

std::vector<Finding> check_host(const Value& facts) {
  Findings findings;
  for (auto check : kChecks) check(facts, findings);
  return findings;
}

bool pods_can_run(const std::vector<Finding>& findings) {
  return std::ranges::none_of(findings, [](const Finding& finding) { return finding.level == Level::missing; });
}

std::string format_findings(const std::vector<Finding>& findings) {
  constexpr std::string_view kLevels[] = {"ok", "gap", "missing"};
  size_t width = 0, gaps = 0, missing = 0;
  for (const Finding& finding : findings) width = std::max(width, finding.area.size());
  std::string text;
  for (const Finding& finding : findings) {
    gaps += finding.level == Level::gap;
    missing += finding.level == Level::missing;
    std::string level(kLevels[static_cast<size_t>(finding.level)]), area = finding.area;
    level.resize(9, ' ');
    area.resize(width + 2, ' ');
    text += level + area + finding.text + "\n";
    if (!finding.fix.empty()) text += std::string(9 + width + 2, ' ') + "fix: " + finding.fix + "\n";
  }
  if (missing > 0) return text + "\nPods cannot run here: " + counted(missing, "thing") + " missing, " + counted(gaps, "gap") + ".\n";
  return text + "\nPods can run here" + (gaps == 0 ? std::string(".\n") : "; " + counted(gaps, "gap") + ".\n");
}

}  // namespace orch::plan::check
