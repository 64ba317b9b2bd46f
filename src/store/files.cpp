#include "store/files.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace orch::store {

namespace {

Error failed(int error_number, const std::string& path, const char* doing) {
  Error error = Error::from_errno(error_number, std::string(doing) + " " + path);
  const char* advice = "";
  if (error_number == EROFS || error_number == EACCES || error_number == EPERM) {
    advice = "the data directory cannot be written; make it writable for this user or choose another "
             "--data-dir";
  } else if (error_number == ENOSPC || error_number == EDQUOT) {
    advice = "the disk of the data directory is full; free some space";
  } else if (error_number == ENOTDIR) {
    advice = "part of the data directory's path is a file";
  }
  return *advice ? std::move(error).with_context(advice) : error;
}

Result<int> open_to_sync(const std::string& path, int flags) {
  int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) return failed(errno, path, "open");
  return fd;
}

Result<void> sync_and_close(int fd, const std::string& path) {
  int status = ::fsync(fd);
  int error_number = errno;
  ::close(fd);
  if (status != 0) return failed(error_number, path, "sync");
  return {};
}

}  // namespace

Result<void> make_directory(const std::string& path) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    std::string part = path.substr(0, slash);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
      int error_number = errno;
      if (!file_exists(part)) return failed(error_number, part, "make directory");
    }
    if (slash == std::string::npos) return {};
  }
}

Result<void> sync_directory(const std::string& path) {
  TRY(int fd, open_to_sync(path, O_RDONLY | O_DIRECTORY));
  return sync_and_close(fd, path);
}

Result<void> sync_file(const std::string& path) {
  TRY(int fd, open_to_sync(path, O_RDONLY));
  return sync_and_close(fd, path);
}

Result<void> rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return failed(errno, from, "rename");
  return {};
}

void remove_file(const std::string& path) { ::unlink(path.c_str()); }

bool file_exists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

int64_t file_size(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_size : 0;
}

Result<void> make_private_file(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return failed(errno, path, "open");
  struct stat info {};
  if (::fstat(fd, &info) == 0 && (info.st_mode & 077) != 0) (void)::fchmod(fd, 0600);
  ::close(fd);
  return {};
}

void rotate_files(const std::string& path, const std::string& suffix, int count) {
  auto name = [&](int n) { return path + suffix + std::to_string(n); };
  remove_file(name(count));
  for (int n = count; n > 1; --n) ::rename(name(n - 1).c_str(), name(n).c_str());
}

// ---- FileLock

Result<FileLock> FileLock::acquire(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return failed(errno, path, "open");
  FileLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return failed(errno, path, "lock");
    char holder[32] = {};
    if (::pread(fd, holder, sizeof holder - 1, 0) <= 0) holder[0] = '\0';
    std::string pid(holder);
    while (!pid.empty() && pid.back() == '\n') pid.pop_back();
    return Error::make(Code::io, "the data directory is in use" +
                                     (pid.empty() ? "" : " by process " + pid) + " (" + path +
                                     "); stop it or choose another --data-dir");
  }
  // The number only makes the message above better: on a full disk the lock holds without it.
  std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd, 0) == 0) {
    [[maybe_unused]] auto written = ::pwrite(fd, pid.data(), pid.size(), 0);
  }
  return lock;
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace orch::store
