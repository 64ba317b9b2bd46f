#include "runtime/images/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/text.h"
#include "runtime/images/digest.h"

namespace orch::runtime::images {

namespace {

int open_resolving(int root, const std::string& path, int flags, uint64_t resolve) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.resolve = resolve;
  const char* name = path.empty() ? "." : path.c_str();
  while (true) {
    long fd = ::syscall(SYS_openat2, root, name, &how, sizeof how);
    // EAGAIN: something was renamed meanwhile and the kernel could not be sure (openat2(2)).
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) return static_cast<int>(fd);
  }
}

std::string in_parent(int parent, const std::string& name) {
  return "/proc/self/fd/" + std::to_string(parent) + "/" + name;
}

}  // namespace

int open_in_root(int root, const std::string& path, int flags) {
  return open_resolving(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int open_without_links(int root, const std::string& path, int flags) {
  return open_resolving(root, path, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

Result<std::vector<std::string>> sorted_names(int directory, const std::string& path) {
  int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return Error::from_errno(errno, "open " + path);
  std::unique_ptr<DIR, CloseDirectory> stream(::fdopendir(copy));
  if (!stream) {
    Error error = Error::from_errno(errno, "read directory " + path);
    ::close(copy);
    return error;
  }
  std::vector<std::string> names;
  errno = 0;
  while (dirent* entry = ::readdir(stream.get())) {
    std::string_view name(entry->d_name);
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  if (errno != 0) return Error::from_errno(errno, "read directory " + path);
  std::ranges::sort(names);
  return names;
}

using Visit = std::function<Result<void>(const TreeNode&)>;

Result<void> walk_directory(int directory, const std::string& path, const Visit& visit) {
  TRY(auto names, sorted_names(directory, path));
  for (std::string& name : names) {
    TreeNode node;
    node.path = path.empty() ? name : path + "/" + name;
    node.parent = directory;
    node.name = std::move(name);
    if (::fstatat(directory, node.name.c_str(), &node.info, AT_SYMLINK_NOFOLLOW) != 0) {
      return Error::from_errno(errno, "stat " + node.path);
    }
    TRY_VOID(visit(node));
    if (!S_ISDIR(node.info.st_mode)) continue;
    Fd inner(::openat(directory, node.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!inner.ok()) return Error::from_errno(errno, "open " + node.path);
    TRY_VOID(walk_directory(inner.get(), node.path, visit));
  }
  return {};
}

}  // namespace

Result<void> walk_tree(const std::string& root, const Visit& visit) {
  Fd directory(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.ok()) return Error::from_errno(errno, "open " + root);
  TreeNode node;
  node.parent = directory.get();
  node.name = ".";
  if (::fstat(directory.get(), &node.info) != 0) return Error::from_errno(errno, "stat " + root);
  TRY_VOID(visit(node));
  return walk_directory(directory.get(), "", visit);
}

namespace {

Result<std::string> link_target(const TreeNode& node) {
  std::string target(static_cast<size_t>(std::max<off_t>(node.info.st_size, 255)) + 1, '\0');
  ssize_t count = ::readlinkat(node.parent, node.name.c_str(), target.data(), target.size());
  if (count < 0) return Error::from_errno(errno, "readlink " + node.path);
  target.resize(static_cast<size_t>(count));
  return target;
}

}  // namespace

Result<TreeSummary> summarise_tree(const std::string& root) {
  TreeSummary summary;
  Sha256 hash;
  std::set<std::pair<dev_t, ino_t>> linked;  // counted once
  auto visit = [&](const TreeNode& node) -> Result<void> {
    const struct stat& info = node.info;
    std::string line = node.path;
    line += '\0';
    bool has_size = S_ISREG(info.st_mode);
    for (uint64_t number : {uint64_t{info.st_mode}, uint64_t{info.st_uid}, uint64_t{info.st_gid},
                            has_size ? static_cast<uint64_t>(info.st_size) : 0, uint64_t{info.st_rdev},
                            static_cast<uint64_t>(info.st_mtim.tv_sec), static_cast<uint64_t>(info.st_mtim.tv_nsec)}) {
      line += std::to_string(number) + ' ';
    }
    if (S_ISLNK(info.st_mode)) {
      TRY(std::string target, link_target(node));
      line += target;
    }
    line += '\n';
    hash.add(line);
    ++summary.entries;
    bool first = info.st_nlink < 2 || S_ISDIR(info.st_mode) || linked.emplace(info.st_dev, info.st_ino).second;
    if (first) summary.bytes += int64_t{info.st_blocks} * 512;
    return {};
  };
  TRY_VOID(walk_tree(root, visit));
  summary.digest = hash.digest();
  return summary;
}

std::vector<std::pair<std::string, std::string>> read_xattrs(int parent, const std::string& name) {
  std::vector<std::pair<std::string, std::string>> found;
  std::string path = in_parent(parent, name);
  ssize_t size = ::llistxattr(path.c_str(), nullptr, 0);
  if (size <= 0) return found;
  std::string names(static_cast<size_t>(size), '\0');
  size = ::llistxattr(path.c_str(), names.data(), names.size());
  if (size <= 0) return found;
  names.resize(static_cast<size_t>(size));
  for (std::string_view key : split(names, '\0')) {
    if (key.empty()) continue;
    std::string key_text(key);
    ssize_t length = ::lgetxattr(path.c_str(), key_text.c_str(), nullptr, 0);
    if (length < 0) continue;
    std::string value(static_cast<size_t>(length), '\0');
    length = ::lgetxattr(path.c_str(), key_text.c_str(), value.data(), value.size());
    if (length < 0) continue;
    value.resize(static_cast<size_t>(length));
    found.emplace_back(std::move(key_text), std::move(value));
  }
  std::ranges::sort(found);
  return found;
}

Result<void> write_xattr(int parent, const std::string& name, const std::string& key, const std::string& value) {
  if (::lsetxattr(in_parent(parent, name).c_str(), key.c_str(), value.data(), value.size(), 0) == 0) return {};
  return Error::from_errno(errno, "set the attribute " + key);
}

namespace {

Result<void> remove_inside(int directory, const std::string& path) {
  TRY(auto names, sorted_names(directory, path));
  Result<void> outcome;
  for (const std::string& name : names) {
    if (::unlinkat(directory, name.c_str(), 0) == 0) continue;
    if (errno != EISDIR && errno != EPERM) {
      outcome = Error::from_errno(errno, "remove " + path + "/" + name);
      continue;
    }
    Fd inner(::openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (inner.ok()) {
      auto removed = remove_inside(inner.get(), path + "/" + name);
      if (!removed.ok()) outcome = std::move(removed);
    }
    if (::unlinkat(directory, name.c_str(), AT_REMOVEDIR) != 0 && outcome.ok()) {
      outcome = Error::from_errno(errno, "remove " + path + "/" + name);
    }
  }
  return outcome;
}

}  // namespace

Result<void> remove_tree(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory.ok()) return Error::from_errno(errno, "remove " + path);
  TRY_VOID(remove_inside(directory.get(), path));
  if (::rmdir(path.c_str()) != 0) return Error::from_errno(errno, "remove " + path);
  return {};
}

Result<void> make_directories(const std::string& path, unsigned mode) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    std::string part = path.substr(0, slash);
    if (::mkdir(part.c_str(), mode) != 0 && errno != EEXIST) {
      Error error = Error::from_errno(errno, "make directory " + part);
      struct stat info{};
      if (::stat(part.c_str(), &info) != 0) return error;
    }
    if (slash == std::string::npos) return {};
  }
}

Result<void> sync_directory(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.ok() || ::fsync(fd.get()) != 0) return Error::from_errno(errno, "sync " + path);
  return {};
}

Result<void> sync_file_system(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.ok() || ::syncfs(fd.get()) != 0) return Error::from_errno(errno, "sync " + path);
  return {};
}

}  // namespace orch::runtime::images
