#include "plan/oci/mount_options.h"

// mount(2)'s flags: their values are the kernel's ABI (sys/mount.h cannot be included beside it).
#include <linux/mount.h>

#include <algorithm>
#include <string_view>

namespace orch::plan::oci {

namespace {

struct Option {
  std::string_view name;
  bool set;
  uint64_t flag;       // MS_*
  uint64_t attribute;  // MOUNT_ATTR_*
};

constexpr Option kOptions[] = {
    {"ro", true, MS_RDONLY, MOUNT_ATTR_RDONLY},
    {"rw", false, MS_RDONLY, MOUNT_ATTR_RDONLY},
    {"nosuid", true, MS_NOSUID, MOUNT_ATTR_NOSUID},
    {"suid", false, MS_NOSUID, MOUNT_ATTR_NOSUID},
    {"nodev", true, MS_NODEV, MOUNT_ATTR_NODEV},
    {"dev", false, MS_NODEV, MOUNT_ATTR_NODEV},
    {"noexec", true, MS_NOEXEC, MOUNT_ATTR_NOEXEC},
    {"exec", false, MS_NOEXEC, MOUNT_ATTR_NOEXEC},
    {"sync", true, MS_SYNCHRONOUS, 0},
    {"async", false, MS_SYNCHRONOUS, 0},
    {"dirsync", true, MS_DIRSYNC, 0},
    {"mand", true, MS_MANDLOCK, 0},
    {"nomand", false, MS_MANDLOCK, 0},
    {"diratime", false, MS_NODIRATIME, MOUNT_ATTR_NODIRATIME},
    {"nodiratime", true, MS_NODIRATIME, MOUNT_ATTR_NODIRATIME},
    {"iversion", true, MS_I_VERSION, 0},
    {"noiversion", false, MS_I_VERSION, 0},
    {"nosymfollow", true, MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW},
    {"symfollow", false, MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW},
    {"silent", true, MS_SILENT, 0},
    {"loud", false, MS_SILENT, 0},
    {"bind", true, MS_BIND, 0},
    {"rbind", true, MS_BIND | MS_REC, 0},
    {"remount", true, MS_REMOUNT, 0},
    {"defaults", true, 0, 0},
};

// Of the access time policies only one can hold: MOUNT_ATTR__ATIME is their mask.
constexpr Option kAccessTimes[] = {
    {"noatime", true, MS_NOATIME, MOUNT_ATTR_NOATIME},
    {"relatime", true, MS_RELATIME, MOUNT_ATTR_RELATIME},
    {"strictatime", true, MS_STRICTATIME, MOUNT_ATTR_STRICTATIME},
    {"atime", true, 0, MOUNT_ATTR_RELATIME},
    {"norelatime", true, 0, MOUNT_ATTR_STRICTATIME},
    {"nostrictatime", true, 0, MOUNT_ATTR_RELATIME},
};

struct Propagation {
  std::string_view name;
  uint64_t flags;
};
constexpr Propagation kPropagations[] = {
    {"private", MS_PRIVATE},       {"rprivate", MS_PRIVATE | MS_REC},
    {"slave", MS_SLAVE},           {"rslave", MS_SLAVE | MS_REC},
    {"shared", MS_SHARED},         {"rshared", MS_SHARED | MS_REC},
    {"unbindable", MS_UNBINDABLE}, {"runbindable", MS_UNBINDABLE | MS_REC},
};

void apply(const Option& option, MountOptions& result) {
  if (option.set) {
    result.flags |= option.flag;
    result.attributes |= option.attribute;
    result.cleared &= ~option.attribute;
  } else {
    result.flags &= ~option.flag;
    result.cleared |= option.attribute;
    result.attributes &= ~option.attribute;
  }
}

bool apply_named(std::string_view name, MountOptions& result) {
  for (const Option& option : kOptions) {
    if (option.name != name) continue;
    apply(option, result);
    return true;
  }
  for (const Option& option : kAccessTimes) {
    if (option.name != name) continue;
    result.flags |= option.flag;
    result.cleared |= MOUNT_ATTR__ATIME;
    result.attributes = (result.attributes & ~static_cast<uint64_t>(MOUNT_ATTR__ATIME)) | option.attribute;
    return true;
  }
  for (const Propagation& propagation : kPropagations) {
    if (propagation.name != name) continue;
    result.propagation = propagation.flags;
    return true;
  }
  return false;
}

}  // namespace

bool MountOptions::bind() const { return (flags & MS_BIND) != 0; }

MountOptions parse_mount_options(const Value& options) {
  MountOptions result;
  for (const Value& item : options.items()) {
    const std::string_view name = item.as_string();
    if (apply_named(name, result)) continue;
    if (name == "tmpcopyup") {
      result.copy_up = true;
      continue;
    }
    // "rro", "rnosuid", ...: the same for everything below (runtime-spec, "Linux mount options").
    if (name.size() > 1 && name[0] == 'r' && apply_named(name.substr(1), result)) {
      result.recursive = true;
      continue;
    }
    if (!result.data.empty()) result.data += ',';
    result.data += name;
  }
  return result;
}

std::vector<std::string> mount_option_names() {
  std::vector<std::string> names = {"tmpcopyup"};
  for (const Option& option : kOptions) names.emplace_back(option.name);
  for (const Option& option : kAccessTimes) names.emplace_back(option.name);
  for (const Propagation& propagation : kPropagations) names.emplace_back(propagation.name);
  for (const Option& option : kOptions) {
    if (option.attribute != 0) names.push_back("r" + std::string(option.name));
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace orch::plan::oci
