#include "plan/oci/cgroup_path.h"

#include <vector>

#include "base/text.h"

namespace orch::plan::oci {

namespace {

Error invalid(std::string_view path, std::string_view why) {
  return Error::make(Code::invalid, "linux.cgroupsPath: " + quote(path) + " " + std::string(why));
}

Result<std::string> plain_path(std::string_view path) {
  std::string directory;
  for (std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return invalid(path, "leads upwards");
    directory += '/';
    directory += part;
  }
  return directory.empty() ? "/" : directory;
}

// "a-b-c.slice" is in "a-b.slice", that in "a.slice" (systemd.slice(5)).
Result<std::string> slice_directory(std::string_view slice) {
  constexpr std::string_view kSuffix = ".slice";
  if (slice == "-.slice") return std::string();
  if (!slice.ends_with(kSuffix) || slice.find('/') != std::string_view::npos) return invalid(slice, "is not the name of a slice");
  std::string directory, prefix;
  for (std::string_view part : split(slice.substr(0, slice.size() - kSuffix.size()), '-')) {
    if (part.empty()) return invalid(slice, "is not the name of a slice");
    prefix += prefix.empty() ? std::string(part) : "-" + std::string(part);
    directory += "/" + prefix + std::string(kSuffix);
  }
  return directory;
}

Result<std::string> systemd_path(std::string_view path, std::string_view id) {
  std::string slice = "system.slice", prefix = "runc", name(id);
  if (!path.empty()) {
    const std::vector<std::string_view> parts = split(path, ':');
    if (parts.size() != 3) return invalid(path, "is not of the form slice:prefix:name, which --systemd-cgroup asks for");
    if (!parts[0].empty()) slice = parts[0];
    prefix = parts[1];
    if (!parts[2].empty()) name = parts[2];
  }
  if ((prefix + name).find('/') != std::string::npos) return invalid(path, "has a slash in its scope");
  TRY(std::string directory, slice_directory(slice));
  if (name.ends_with(".slice")) return directory + "/" + name;
  return directory + "/" + (prefix.empty() ? name : prefix + "-" + name) + ".scope";
}

}  // namespace

Result<std::string> cgroup_path(std::string_view path, bool systemd, std::string_view id) {
  if (systemd) return systemd_path(path, id);
  return plain_path(path.empty() ? id : path);
}

}  // namespace orch::plan::oci
