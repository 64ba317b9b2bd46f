#include "loop/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <sys/stat.h>

namespace orch::loop {

namespace {

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Error failed(std::string_view what, const std::string& path) {
  int number = errno;
  Error error = Error::from_errno(number, std::string(what) + " " + path);
  return number == ENOENT ? std::move(error).with_code(Code::not_found) : error;
}

Result<void> write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    ssize_t count = ::write(fd, content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed("write", path);
    content.remove_prefix(static_cast<size_t>(count));
  }
  return {};
}

Result<void> write_and_rename(int fd, const std::string& temporary, const std::string& path, std::string_view content,
                              unsigned mode) {
  if (::fchmod(fd, mode) != 0) return failed("chmod", temporary);
  TRY_VOID(write_all(fd, content, temporary));
  if (::fsync(fd) != 0) return failed("fsync", temporary);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return failed("rename to", path);
  return {};
}

}  // namespace

Result<std::string> read_file_now(const std::string& path, size_t limit) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return failed("open", path);
  std::string content;
  while (true) {
    size_t used = content.size();
    if (used > limit) return Error::make(Code::too_large, path + " is larger than " + std::to_string(limit) + " bytes");
    content.resize(used + std::min<size_t>(limit - used + 1, 64 * 1024));
    ssize_t count = ::read(fd.get(), content.data() + used, content.size() - used);
    if (count < 0 && errno != EINTR) return failed("read", path);
    content.resize(used + static_cast<size_t>(std::max<ssize_t>(count, 0)));
    if (count == 0) return content;
  }
}

Result<void> write_file_atomic_now(const std::string& path, std::string_view content, unsigned mode) {
  std::string temporary = path + ".tmpXXXXXX";
  Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (fd.get() < 0) return failed("create", temporary);
  auto written = write_and_rename(fd.get(), temporary, path, content, mode);
  if (!written.ok()) {
    ::unlink(temporary.c_str());
    return written;
  }
  auto slash = path.rfind('/');
  std::string directory = slash == std::string::npos ? "." : path.substr(0, std::max<size_t>(slash, 1));
  Fd parent(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.get() < 0 || ::fsync(parent.get()) != 0) return failed("fsync", directory);
  return {};
}

Task<std::string> read_file(Loop& loop, std::string path, size_t limit) {
  auto work = [path, limit] { return read_file_now(path, limit); };
  Result<std::string> content = co_await offload(loop, work);
  co_return co_await std::move(content);
}

Task<void> write_file_atomic(Loop& loop, std::string path, std::string content, unsigned mode) {
  auto work = [path, content = std::move(content), mode] { return write_file_atomic_now(path, content, mode); };
  Result<void> written = co_await offload(loop, work);
  co_await std::move(written);
}

}  // namespace orch::loop
