#include "agent/pod_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>

#include "base/text.h"
#include "plan/pod/termination_message.h"

namespace orch::agent {

using loop::Task;
namespace fs = std::filesystem;

namespace {

struct Descriptor {
  int fd = -1;
  explicit Descriptor(int opened) : fd(opened) {}
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
};

// The last `limit` bytes of a regular file; "" where there is none. Not through a link: a container may have written it.
std::string read_end(const std::string& path, size_t limit) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat status{};
  if (file.fd < 0 || ::fstat(file.fd, &status) != 0 || !S_ISREG(status.st_mode)) return "";
  off_t from = std::max<off_t>(0, status.st_size - static_cast<off_t>(limit));
  std::string bytes(static_cast<size_t>(status.st_size - from), '\0');
  ssize_t n = ::pread(file.fd, bytes.data(), bytes.size(), from);
  bytes.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return bytes;
}

std::string read_message(const std::string& path, const std::string& log, bool fall_back) {
  std::string message = read_end(path, plan::pod::most_message_bytes);
  if (!message.empty() || !fall_back) return to_valid_utf8(message);
  // Time stamps and partial lines need room beside the text.
  return plan::pod::end_of_log(read_end(log, 16 * plan::pod::most_fallback_bytes));
}

Result<void> remove_entries(int directory, dev_t device, std::string path);

Result<void> remove_at(int parent, const char* name, dev_t device, const std::string& path) {
  struct stat status{};
  if (::fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return {};
    return Error::from_errno(errno, path);
  }
  if (S_ISDIR(status.st_mode)) {
    if (status.st_dev != device) return Error::make(Code::io, path + ": something is mounted there");
    int fd = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return Error::from_errno(errno, path);
    TRY_VOID(remove_entries(fd, device, path));
  }
  if (::unlinkat(parent, name, S_ISDIR(status.st_mode) ? AT_REMOVEDIR : 0) != 0 && errno != ENOENT)
    return Error::from_errno(errno, path);
  return {};
}

// Takes the descriptor.
Result<void> remove_entries(int directory, dev_t device, std::string path) {
  DIR* stream = ::fdopendir(directory);
  if (!stream) {
    int number = errno;
    ::close(directory);
    return Error::from_errno(number, path);
  }
  std::vector<std::string> names;
  while (dirent* entry = ::readdir(stream)) {
    std::string name(entry->d_name);
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  Result<void> result;
  for (const std::string& name : names) {
    auto removed = remove_at(::dirfd(stream), name.c_str(), device, path + "/" + name);
    if (!removed.ok() && result.ok()) result = std::move(removed);
  }
  ::closedir(stream);
  return result;
}

std::vector<std::string> entries_of(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error))
    names.push_back(at->path().filename().string());
  return names;
}

Result<void> remove_others(const plan::pod::NodePaths& paths, const std::set<std::string>& keep) {
  Result<void> result;
  auto remove = [&](const std::string& path) {
    auto removed = remove_tree(path);
    if (!removed.ok() && result.ok()) result = std::move(removed);
  };
  for (const std::string& uid : entries_of(paths.pods()))
    if (!keep.contains(uid)) remove(paths.pod(uid));
  for (const std::string& name : entries_of(paths.logs()))
    if (!keep.contains(name.substr(name.rfind('_') + 1))) remove(paths.logs() + "/" + name);
  return result;
}

}  // namespace

Result<void> make_directories(const std::string& path, unsigned mode) {
  std::string sofar;
  for (std::string_view part : split(path, '/')) {
    sofar += part;
    if (!part.empty() && ::mkdir(sofar.c_str(), mode) != 0 && errno != EEXIST) return Error::from_errno(errno, "making " + sofar);
    sofar += '/';
  }
  return {};
}

Result<void> remove_tree(const std::string& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return Error::from_errno(errno, path);
  }
  return remove_at(AT_FDCWD, path.c_str(), status.st_dev, path).with_context("removing");
}

Task<std::string> PodFiles::termination_message(plan::pod::PodView pod, plan::pod::ContainerView container, uint32_t attempt,
                                                bool failed) {
  bool fall_back = failed && container.spec["terminationMessagePolicy"].as_string() == "FallbackToLogsOnError";
  auto work = [path = paths_.termination_log(pod.uid(), container.name(), attempt),
               log = paths_.log(pod, container.name(), attempt), fall_back] { return read_message(path, log, fall_back); };
  co_return co_await loop::offload(loop_, work);
}

// With the rotated ones: "0.log", "0.log.20260101-000000".
Task<void> PodFiles::remove_log(plan::pod::PodView pod, std::string container, uint32_t attempt) {
  auto work = [directory = paths_.pod_logs(pod) + "/" + container, prefix = std::to_string(attempt) + ".log",
               message = paths_.termination_log(pod.uid(), container, attempt)]() -> Result<void> {
    for (const std::string& name : entries_of(directory))
      if (name.starts_with(prefix)) ::unlink((directory + "/" + name).c_str());
    ::unlink(message.c_str());
    return {};
  };
  Result<void> removed = co_await loop::offload(loop_, work);
  co_await std::move(removed);
}

Task<void> PodFiles::remove_pod(std::string uid, std::string ns, std::string name) {
  auto work = [directory = paths_.pod(uid), logs = paths_.pod_logs(ns, name, uid)]() -> Result<void> {
    TRY_VOID(remove_tree(directory));
    return remove_tree(logs);
  };
  Result<void> removed = co_await loop::offload(loop_, work);
  co_await std::move(removed);
}

Task<void> PodFiles::remove_except(std::vector<std::string> uids) {
  auto work = [paths = paths_, keep = std::set<std::string>(uids.begin(), uids.end())] { return remove_others(paths, keep); };
  Result<void> removed = co_await loop::offload(loop_, work);
  co_await std::move(removed);
}

}  // namespace orch::agent
