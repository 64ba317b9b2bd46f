#include "plan/oci/compile.h"

// MS_* (sys/mount.h cannot be included beside it).
#include <linux/mount.h>
#include <linux/sched.h>
#include <sys/stat.h>

#include "base/text.h"
#include "plan/oci/device_filter.h"
#include "plan/oci/mount_options.h"
#include "plan/oci/names.h"
#include "plan/oci/process.h"

namespace orch::plan::oci {

namespace {

using steps::Op;
using steps::Step;

Error invalid(std::string message) { return Error::make(Code::invalid, std::move(message)); }

// --- Namespaces -----------------------------------------------------------------

// "0 100000 65536\n": a line of /proc/<pid>/uid_map a mapping.
std::string id_map(const Value& mappings) {
  std::string text;
  for (const Value& mapping : mappings.items()) {
    text += std::to_string(mapping["containerID"].as_int()) + " " + std::to_string(mapping["hostID"].as_int()) + " " +
            std::to_string(mapping["size"].as_int()) + "\n";
  }
  return text;
}

Result<void> check_namespaces(const Value& namespaces) {
  std::set<std::string> seen;
  for (size_t i = 0; i < namespaces.size(); ++i) {
    const std::string_view type = namespaces.at(i)["type"].as_string();
    const std::string where = "linux.namespaces[" + std::to_string(i) + "].type: ";
    if (!find_namespace_type(type)) return invalid(where + "unknown namespace " + quote(type));
    if (!seen.emplace(type).second) return invalid(where + quote(type) + " is there twice");
  }
  return {};
}

const Value& find_namespace(const Value& namespaces, std::string_view type) {
  for (const Value& item : namespaces.items()) {
    if (item["type"].as_string() == type) return item;
  }
  return Value::null();
}

void add_clone(steps::Steps& steps, const Request& request) {
  const Value& linux_part = request.config["linux"];
  Step clone{Op::clone, {0}, {request.cgroup, "", ""}};
  for (const Value& item : linux_part["namespaces"].items()) {
    const NamespaceType& type = *find_namespace_type(item["type"].as_string());
    const std::string_view path = item["path"].as_string();
    // A new cgroup namespace is rooted where its maker is at that moment: made later, inside (cgroup_namespaces(7)).
    if (type.flag == CLONE_NEWCGROUP) continue;
    if (path.empty()) {
      clone.numbers[0] |= type.flag;
    } else if (type.flag == CLONE_NEWPID) {
      steps.push_back(Step{Op::join_pid, {}, {std::string(path)}});
    }
  }
  if (clone.numbers[0] & CLONE_NEWUSER) {
    clone.texts[1] = id_map(linux_part["uidMappings"]);
    clone.texts[2] = id_map(linux_part["gidMappings"]);
  }
  const bool own_user = (clone.numbers[0] & CLONE_NEWUSER) != 0;
  steps.push_back(std::move(clone));
  // Its root from now on: what it makes shall belong to somebody (user_namespaces(7)).
  if (own_user) steps.push_back(Step{Op::user, {0, 0}, {}});
}

void add_joins(steps::Steps& steps, const Value& namespaces) {
  for (const NamespaceType& type : namespace_types()) {
    const std::string_view path = find_namespace(namespaces, type.name)["path"].as_string();
    if (!path.empty() && type.flag != CLONE_NEWPID) steps.push_back(Step{Op::join, {type.flag}, {std::string(path)}});
  }
  const Value& cgroup = find_namespace(namespaces, "cgroup");
  if (cgroup.is_object() && cgroup["path"].as_string().empty()) steps.push_back(Step{Op::unshare, {CLONE_NEWCGROUP}, {}});
}

// --- File system ------------------------------------------------------------------

uint64_t root_propagation(const Value& config) {
  const Value options = Value::list({config["linux"]["rootfsPropagation"].as_string("rslave")});
  const uint64_t flags = parse_mount_options(options).propagation;
  // A shared root cannot be pivoted to; what is mounted later inside is the business of each mount.
  return (flags & MS_SHARED) || flags == 0 ? MS_SLAVE | MS_REC : flags | MS_REC;
}

void add_root(steps::Steps& steps, const Root& root) {
  if (root.layers.empty()) {
    steps.push_back(Step{Op::bind_root, {MS_REC}, {root.path}});
  } else {
    Step overlay{Op::overlay, {}, {root.path, root.upper, root.work}};
    overlay.texts.insert(overlay.texts.end(), root.layers.begin(), root.layers.end());
    steps.push_back(std::move(overlay));
  }
  steps.push_back(Step{Op::root, {}, {root.path}});
}

Result<void> add_mount(steps::Steps& steps, const Value& mount, const std::string& where) {
  const std::string target(mount["destination"].as_string());
  const std::string source(mount["source"].as_string());
  std::string type(mount["type"].as_string());
  if (target.empty()) return invalid(where + ".destination: needed");
  const MountOptions options = parse_mount_options(mount["options"]);
  if (options.bind() || type == "bind") {
    if (source.empty()) return invalid(where + ".source: a bind needs one");
    steps.push_back(Step{Op::bind,
                         {options.bind() ? options.flags & (MS_BIND | MS_REC) : MS_BIND | MS_REC, options.attributes,
                          options.cleared, options.recursive ? 1U : 0U, options.propagation},
                         {source, target, std::string(mount["subpath"].as_string())}});
    return {};
  }
  if (type.empty()) return invalid(where + ".type: needed, unless it is a bind");
  if (options.copy_up) {
    if (type != "tmpfs") return invalid(where + ".options: tmpcopyup is for a tmpfs only");
    steps.push_back(Step{Op::filled_tmpfs, {options.flags, options.propagation}, {target, options.data}});
    return {};
  }
  // A cgroup namespace of its own shows the container's part of the tree only. Where the host's is v1 the mount of
  // v2 may be refused, and the container does without.
  const bool cgroup = type == "cgroup";
  if (cgroup) type = "cgroup2";
  Step step{Op::mount, {options.flags, options.propagation}, {source.empty() ? type : source, target, type, cgroup ? "" : options.data}};
  step.tolerated = cgroup;
  steps.push_back(std::move(step));
  return {};
}

struct Device {
  std::string_view path;
  unsigned major, minor;
};
// runtime-spec, config-linux.md, "Default Devices".
constexpr Device kDevices[] = {{"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
                               {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0}};
constexpr std::pair<std::string_view, std::string_view> kLinks[] = {
    {"/proc/self/fd", "/dev/fd"},       {"/proc/self/fd/0", "/dev/stdin"}, {"/proc/self/fd/1", "/dev/stdout"},
    {"/proc/self/fd/2", "/dev/stderr"}, {"pts/ptmx", "/dev/ptmx"},
};

Result<Step> device_step(const Value& device, const std::string& where) {
  const std::string_view type = device["type"].as_string();
  uint64_t kind = 0;
  if (type == "c" || type == "u") kind = S_IFCHR;
  if (type == "b") kind = S_IFBLK;
  if (type == "p") kind = S_IFIFO;
  if (kind == 0) return invalid(where + ".type: unknown device type " + quote(type));
  if (!device["path"].as_string().starts_with('/')) return invalid(where + ".path: is not absolute");
  return Step{Op::device,
              {kind | static_cast<uint64_t>(device["fileMode"].as_int(0666)), static_cast<uint64_t>(device["major"].as_int()),
               static_cast<uint64_t>(device["minor"].as_int()), static_cast<uint64_t>(device["uid"].as_int()),
               static_cast<uint64_t>(device["gid"].as_int())},
              {std::string(device["path"].as_string())}};
}

Result<void> add_devices(steps::Steps& steps, const Value& config) {
  for (const Device& device : kDevices) {
    steps.push_back(Step{Op::device, {S_IFCHR | 0666, device.major, device.minor, 0, 0}, {std::string(device.path)}});
  }
  const Value& devices = config["linux"]["devices"];
  for (size_t i = 0; i < devices.size(); ++i) {
    TRY(Step step, device_step(devices.at(i), "linux.devices[" + std::to_string(i) + "]"));
    steps.push_back(std::move(step));
  }
  for (const auto& [content, target] : kLinks) {
    steps.push_back(Step{Op::symlink, {}, {std::string(content), std::string(target)}});
  }
  return {};
}

// The directory that /dev/console and the devices are made in is the container's own only if it mounts one there.
bool mounts_dev(const Value& config) {
  for (const Value& mount : config["mounts"].items()) {
    if (mount["destination"].as_string() == "/dev" && mount["type"].as_string() != "bind") return true;
  }
  return false;
}

Result<void> add_file_system(steps::Steps& steps, const Request& request) {
  const Value& config = request.config;
  steps.push_back(Step{Op::propagation, {root_propagation(config)}, {}});
  add_root(steps, request.root);
  const Value& mounts = config["mounts"];
  for (size_t i = 0; i < mounts.size(); ++i) {
    TRY_VOID(add_mount(steps, mounts.at(i), "mounts[" + std::to_string(i) + "]"));
  }
  if (mounts_dev(config)) TRY_VOID(add_devices(steps, config));
  if (config["process"]["terminal"].as_bool()) steps.push_back(Step{Op::console, {}, {"/dev/console"}});
  if (request.meet) steps.push_back(Step{Op::meet, {}, {}});
  steps.push_back(Step{request.no_pivot ? Op::move_root : Op::pivot_root, {}, {}});
  if (config["root"]["readonly"].as_bool()) steps.push_back(Step{Op::read_only_root, {}, {}});
  for (const Value& path : config["linux"]["readonlyPaths"].items()) {
    steps.push_back(Step{Op::read_only, {}, {std::string(path.as_string())}});
  }
  for (const Value& path : config["linux"]["maskedPaths"].items()) {
    steps.push_back(Step{Op::mask, {}, {std::string(path.as_string())}});
  }
  return {};
}

}  // namespace

Result<steps::Steps> compile(const Request& request) {
  const Value& config = request.config;
  TRY_VOID(check_namespaces(config["linux"]["namespaces"]));
  if (!config["linux"]["intelRdt"].empty()) return invalid("linux.intelRdt: orch does not drive the resctrl file system; remove it");
  steps::Steps steps;
  if (!request.cgroup.empty()) {
    steps.push_back(Step{Op::make_cgroup, {}, {request.cgroup}});
    for (Step& step : compile_resources(config["linux"]["resources"], request.cgroup, request.facts)) {
      steps.push_back(std::move(step));
    }
    if (const Value& rules = config["linux"]["resources"]["devices"]; !rules.empty()) {
      // Refused where there is no CAP_BPF, or no such kernel; the container's devices are few all the same.
      TRY(std::string filter, device_filter(rules));
      steps.push_back(tolerate(Step{Op::device_filter, {}, {request.cgroup, std::move(filter)}}));
    }
  }
  add_clone(steps, request);
  add_joins(steps, config["linux"]["namespaces"]);
  if (const auto name = config["hostname"].as_string(); !name.empty()) steps.push_back(Step{Op::hostname, {}, {std::string(name)}});
  if (const auto name = config["domainname"].as_string(); !name.empty()) steps.push_back(Step{Op::domainname, {}, {std::string(name)}});
  for (const Member& member : config["linux"]["sysctl"].members()) {
    steps.push_back(Step{Op::sysctl, {}, {std::string(member.name()), std::string(member.value.as_string())}});
  }
  if (!find_namespace(config["linux"]["namespaces"], "mount").is_null()) TRY_VOID(add_file_system(steps, request));
  TRY_VOID(add_process(steps, {config["process"], request.seccomp_filter, request.seccomp_flags, request.wait_for_start}));
  TRY_VOID(steps::check_steps(steps));
  return steps;
}

Result<steps::Steps> compile_exec(const ExecRequest& request) {
  const std::string directory = "/proc/" + std::to_string(request.pid) + "/ns/";
  steps::Steps steps;
  const Value& namespaces = request.config["linux"]["namespaces"];
  const bool own_user = !find_namespace(namespaces, "user").is_null();
  steps.push_back(Step{Op::join_pid, {}, {directory + "pid"}});
  steps.push_back(Step{Op::clone, {0}, {request.cgroup, "", ""}});
  for (const NamespaceType& type : namespace_types()) {
    // Joining the user namespace that one is in already is an error (setns(2)).
    if (type.flag == CLONE_NEWPID || type.flag == CLONE_NEWTIME || (type.flag == CLONE_NEWUSER && !own_user)) continue;
    steps.push_back(Step{Op::join, {type.flag}, {directory + std::string(type.file)}});
  }
  if (request.console) {
    steps.push_back(Step{Op::root, {}, {"/"}});
    steps.push_back(Step{Op::console, {}, {""}});
  }
  TRY_VOID(add_process(steps, {request.process, request.seccomp_filter, request.seccomp_flags, false}));
  TRY_VOID(steps::check_steps(steps));
  return steps;
}

}  // namespace orch::plan::oci
