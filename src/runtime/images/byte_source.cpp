#include "runtime/images/byte_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace orch::runtime::images {

Result<std::unique_ptr<FileSource>> FileSource::open(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    Error error = Error::from_errno(errno, "open " + path);
    return errno == ENOENT ? std::move(error).with_code(Code::not_found) : error;
  }
  return std::make_unique<FileSource>(fd, path);
}

FileSource::~FileSource() { ::close(fd_); }

Result<size_t> FileSource::read(char* buffer, size_t size) {
  while (true) {
    ssize_t count = ::read(fd_, buffer, size);
    if (count >= 0) return static_cast<size_t>(count);
    if (errno != EINTR) return Error::from_errno(errno, "read " + path_);
  }
}

Result<size_t> TextSource::read(char* buffer, size_t size) {
  size_t count = std::min(size, left_.size());
  if (count > 0) std::memcpy(buffer, left_.data(), count);
  left_.remove_prefix(count);
  return count;
}

Result<size_t> HashingSource::read(char* buffer, size_t size) {
  TRY(size_t count, inner_.read(buffer, size));
  hash_.add(std::string_view(buffer, count));
  bytes_ += static_cast<int64_t>(count);
  size_t trailing = 0;
  while (trailing < count && buffer[count - 1 - trailing] == '\0') ++trailing;
  zeros_ = trailing == count ? zeros_ + static_cast<int64_t>(count) : static_cast<int64_t>(trailing);
  return count;
}

Result<void> HashingSource::drain() {
  std::vector<char> buffer(256 * 1024);
  while (true) {
    TRY(size_t count, read(buffer.data(), buffer.size()));
    if (count == 0) return {};
  }
}

}  // namespace orch::runtime::images
