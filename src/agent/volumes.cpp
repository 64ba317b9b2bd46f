#include "agent/volumes.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>

#include "agent/pod_files.h"
#include "base/text.h"
#include "loop/files.h"
#include "plan/pod/container_config.h"

namespace orch::agent {

using plan::pod::Failure;
using plan::pod::NodePaths;
using plan::pod::PodView;
using plan::pod::VolumeFile;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view data_link = "..data", next_link = "..data_tmp";

Result<void> give_to_group(const std::string& path, int64_t group, unsigned mode) {
  if (group < 0) return {};
  if (::lchown(path.c_str(), static_cast<uid_t>(-1), static_cast<gid_t>(group)) != 0) return Error::from_errno(errno, "giving " + path + " to its group");
  if (::chmod(path.c_str(), mode) != 0) return Error::from_errno(errno, path);
  return {};
}

// kubelet's SetVolumeOwnership: the group reads what it is given, and files made in a directory are the group's.
Result<void> write_one(const std::string& root, const VolumeFile& file, int64_t group) {
  const std::string path = root + "/" + file.path;
  for (size_t slash = file.path.find('/'); slash != std::string::npos; slash = file.path.find('/', slash + 1)) {
    const std::string directory = root + "/" + file.path.substr(0, slash);
    if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) return Error::from_errno(errno, directory);
    TRY_VOID(give_to_group(directory, group, 02755));
  }
  int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return Error::from_errno(errno, path);
  Result<void> result;
  for (size_t done = 0; done < file.content.size() && result.ok();) {
    ssize_t n = ::write(fd, file.content.data() + done, file.content.size() - done);
    if (n < 0 && errno != EINTR) result = Error::from_errno(errno, path);
    if (n > 0) done += static_cast<size_t>(n);
  }
  if (result.ok() && ::fchmod(fd, file.mode) != 0) result = Error::from_errno(errno, path);
  ::close(fd);
  TRY_VOID(std::move(result));
  return give_to_group(path, group, file.mode | 0440);
}

bool is_same(const std::string& root, const std::vector<VolumeFile>& files) {
  size_t found = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator at(root, error), end; !error && at != end; at.increment(error)) {
    if (!at->is_regular_file(error)) continue;
    const std::string path = at->path().lexically_relative(root).string();
    auto file = std::ranges::find_if(files, [&](const VolumeFile& each) { return each.path == path; });
    if (file == files.end()) return false;
    auto content = loop::read_file_now(at->path().string());
    if (!content.ok() || content.value() != file->content) return false;
    ++found;
  }
  return !error && found == files.size();
}

std::string read_link(const std::string& path) {
  std::error_code error;
  return fs::read_symlink(path, error).string();
}

Result<void> swap_data(const std::string& directory, const std::string& fresh) {
  const std::string next = directory + "/" + std::string(next_link);
  ::unlink(next.c_str());
  if (::symlink(fresh.c_str(), next.c_str()) != 0) return Error::from_errno(errno, next);
  if (::rename(next.c_str(), (directory + "/" + std::string(data_link)).c_str()) != 0) return Error::from_errno(errno, next);
  return {};
}

// One link for each first part of a path; links to what is no more go.
Result<void> link_names(const std::string& directory, const std::vector<VolumeFile>& files) {
  std::set<std::string> names;
  for (const VolumeFile& file : files) names.insert(file.path.substr(0, file.path.find('/')));
  for (const std::string& name : names) {
    const std::string link = directory + "/" + name;
    if (::symlink((std::string(data_link) + "/" + name).c_str(), link.c_str()) != 0 && errno != EEXIST) return Error::from_errno(errno, link);
  }
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with("..") && !names.contains(name)) ::unlink(at->path().c_str());
  }
  return {};
}

std::string stamp(Instant now) {
  std::string text = replace_all(replace_all(format_micro_time(now), ":", "_"), "-", "_");
  return ".." + replace_all(replace_all(text, "T", "_"), "Z", "");
}

Result<void> make_directory(const std::string& path, unsigned mode) {
  if (::mkdir(path.c_str(), mode) == 0) {
    if (::chmod(path.c_str(), mode) != 0) return Error::from_errno(errno, path);  // whatever our umask is
  } else if (errno != EEXIST) {
    return Error::from_errno(errno, "making " + path);
  }
  return {};
}

struct HostPathType {
  std::string_view name;
  mode_t kind;
  std::string_view complaint;
  bool create;
};
constexpr HostPathType host_path_types[] = {
    {"DirectoryOrCreate", S_IFDIR, "is not a directory", true}, {"Directory", S_IFDIR, "is not a directory", false},
    {"FileOrCreate", S_IFREG, "is not a file", true},           {"File", S_IFREG, "is not a file", false},
    {"Socket", S_IFSOCK, "is not a socket file", false},        {"CharDevice", S_IFCHR, "is not a character device", false},
    {"BlockDevice", S_IFBLK, "is not a block device", false}};

Result<void> check_host_path(const Value& source) {
  const std::string path(source["path"].as_string());
  std::string_view wanted = source["type"].as_string();
  for (const HostPathType& type : host_path_types) {
    if (wanted != type.name) continue;
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0 && type.create) {
      if (type.kind == S_IFDIR) return make_directories(path, 0755);
      int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
      if (fd < 0) return Error::from_errno(errno, "hostPath " + path);
      ::close(fd);
      return {};
    }
    if ((status.st_mode & S_IFMT) != type.kind)
      return Error::make(Code::invalid, "hostPath type check failed: " + path + " " + std::string(type.complaint));
  }
  return {};
}

Result<void> prepare_volume(const PodView& pod, const NodePaths& paths, const plan::pod::ResolvedReferences& references,
                            const plan::pod::Surroundings& around, const Value& volume, Instant now) {
  const Value& fs_group = pod.spec()["securityContext"]["fsGroup"];
  const int64_t group = fs_group.is_int() ? fs_group.as_int() : -1;
  const std::string directory = paths.volume(pod.uid(), volume["name"].as_string());
  if (!volume["hostPath"].is_null()) return check_host_path(volume["hostPath"]);
  if (!volume["emptyDir"].is_null()) {
    const bool there = ::access(directory.c_str(), F_OK) == 0;
    TRY_VOID(make_directory(directory, 0777));
    return there ? Result<void>() : give_to_group(directory, group, 02777);
  }
  if (!plan::pod::has_contents(volume)) return Error::make(Code::invalid, "this kind of volume is not supported on this node");
  TRY(auto files, plan::pod::volume_contents(pod, volume, references, around));
  TRY_VOID(make_directory(directory, 0755));
  return write_volume(directory, files, group, now);
}

}  // namespace

Result<void> write_volume(const std::string& directory, const std::vector<VolumeFile>& files, int64_t group, Instant now) {
  const std::string old = read_link(directory + "/" + std::string(data_link));
  if (!old.empty() && is_same(directory + "/" + old, files)) return link_names(directory, files);
  std::string fresh = stamp(now);
  if (fresh == old) fresh += "_1";
  const std::string root = directory + "/" + fresh;
  TRY_VOID(remove_tree(root));
  TRY_VOID(make_directory(root, 0755));
  TRY_VOID(give_to_group(root, group, 02755));
  for (const VolumeFile& file : files) TRY_VOID(write_one(root, file, group));
  TRY_VOID(swap_data(directory, fresh));
  TRY_VOID(link_names(directory, files));
  if (!old.empty() && old.find('/') == std::string::npos && old != fresh) TRY_VOID(remove_tree(directory + "/" + old));
  return {};
}

Result<void> make_sub_path(const std::string& volume, const std::string& path) {
  int at = ::open(volume.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (at < 0) return Error::from_errno(errno, volume);
  const int root = at;
  struct stat status{};
  const mode_t mode = ::fstat(root, &status) == 0 ? status.st_mode & 0777 : 0750;
  Result<void> made;
  std::string so_far;
  for (std::string_view part : split(path, '/')) {
    if (part.empty() || part == "." || !made.ok()) continue;
    so_far += (so_far.empty() ? "" : "/") + std::string(part);
    // From the root each time: a link inside may lead anywhere beneath it, and nowhere else.
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    long next = ::syscall(SYS_openat2, root, so_far.c_str(), &how, sizeof how);
    if (next < 0 && errno == ENOENT) {
      if (::mkdirat(at, std::string(part).c_str(), mode) != 0 && errno != EEXIST) {
        made = Error::from_errno(errno, "making the subPath " + path);
        continue;
      }
      next = ::syscall(SYS_openat2, root, so_far.c_str(), &how, sizeof how);
      // Whatever our umask is.
      if (next >= 0 && ::fchmodat(at, std::string(part).c_str(), mode, 0) != 0) {
        made = Error::from_errno(errno, "the mode of the subPath " + path);
      }
    }
    if (next < 0) {
      made = Error::from_errno(errno, "the subPath " + path);
      continue;
    }
    if (at != root) ::close(at);
    at = static_cast<int>(next);
  }
  if (at != root) ::close(at);
  ::close(root);
  return made;
}

std::optional<Failure> prepare_pod_directory(const PodView& pod, const NodePaths& paths,
                                             const plan::pod::ResolvedReferences& references,
                                             const plan::pod::Surroundings& around, Instant now) {
  auto failed = [](std::string_view volume, const Error& error) { return Failure{"", error.message(), std::string(volume)}; };
  for (const std::string& directory : {paths.volumes(pod.uid()), paths.pod(pod.uid()) + "/containers", paths.pod_logs(pod)})
    if (auto made = make_directories(directory, 0755); !made.ok()) return failed("pod", made.error());
  for (const Value& volume : pod.spec()["volumes"].items()) {
    auto prepared = prepare_volume(pod, paths, references, around, volume, now);
    if (!prepared.ok()) return failed(volume["name"].as_string(), prepared.error());
  }
  return std::nullopt;
}

}  // namespace orch::agent
