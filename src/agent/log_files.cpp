#include "agent/log_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"

namespace orch::agent {

namespace {

constexpr size_t kPiece = 64 * 1024;
constexpr size_t kMaxLine = 1024 * 1024;  // a longer one is handed out in pieces
constexpr int kListTries = 5;

Error failed(std::string_view what, const std::string& path) { return Error::from_errno(errno, std::string(what) + " " + path); }

uint64_t inode_of(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

Result<std::string> read_at(int fd, int64_t offset, size_t size) {
  std::string bytes(size, '\0');
  size_t got = 0;
  while (got < size) {
    ssize_t n = ::pread(fd, bytes.data() + got, size - got, offset + static_cast<int64_t>(got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error::from_errno(errno, "read a container's log");
    if (n == 0) break;
    got += static_cast<size_t>(n);
  }
  bytes.resize(got);
  return bytes;
}

// Where the last `lines` lines of a file begin; fewer when there are fewer (then 0). `lines` is counted down.
Result<int64_t> find_tail(int fd, int64_t& lines) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return Error::from_errno(errno, "look at a container's log");
  int64_t at = info.st_size;
  int64_t line_end = at;  // of the line that is being looked for
  while (at > 0) {
    int64_t size = std::min<int64_t>(at, static_cast<int64_t>(kPiece));
    at -= size;
    TRY(std::string piece, read_at(fd, at, static_cast<size_t>(size)));
    for (size_t i = piece.size(); i-- > 0;) {
      if (piece[i] != '\n') continue;
      int64_t begins = at + static_cast<int64_t>(i) + 1;
      if (begins == line_end) continue;  // the end of the last line, not of the one before it
      line_end = begins;
      if (--lines == 0) return begins;
    }
  }
  if (info.st_size > 0) --lines;
  return 0;
}

bool is_number(std::string_view text) { return text.size() <= 3 && parse_uint(text).has_value(); }

}  // namespace

LogReader::~LogReader() { close(); }

void LogReader::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

std::vector<LogReader::File> LogReader::list_once() const {
  auto slash = path_.rfind('/');
  std::string directory = path_.substr(0, slash);
  std::string prefix = path_.substr(slash + 1) + ".";
  std::vector<std::string> suffixes;
  if (DIR* dir = ::opendir(directory.c_str())) {
    while (const dirent* entry = ::readdir(dir)) {
      std::string_view name = entry->d_name;
      if (!name.starts_with(prefix) || name.ends_with(".gz") || name.ends_with(".tmp")) continue;
      suffixes.emplace_back(name.substr(prefix.size()));
    }
    ::closedir(dir);
  }
  auto older = [](const std::string& a, const std::string& b) {
    if (is_number(a) && is_number(b)) return *parse_uint(a) > *parse_uint(b);
    return a < b;
  };
  std::ranges::sort(suffixes, older);
  std::vector<File> files;
  for (const auto& suffix : suffixes) {
    std::string path = path_ + "." + suffix;
    if (uint64_t inode = inode_of(path)) files.push_back({std::move(path), inode});
  }
  if (uint64_t inode = inode_of(path_)) files.push_back({path_, inode});
  return files;
}

// A rotation renames several files one after the other: what was seen in the middle of it is looked at again.
std::vector<LogReader::File> LogReader::list() const {
  auto same = [](const File& a, const File& b) { return a.path == b.path && a.inode == b.inode; };
  auto files = list_once();
  for (int i = 0; i < kListTries; ++i) {
    auto again = list_once();
    if (std::ranges::equal(files, again, same)) break;
    files = std::move(again);
  }
  return files;
}

Result<bool> LogReader::open(const File& file, int64_t offset) {
  int fd = ::open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0 && errno == ENOENT) return false;
  if (fd < 0) return failed("open", file.path);
  struct stat info {};
  if (::fstat(fd, &info) != 0 || info.st_ino != file.inode) {
    ::close(fd);
    return false;
  }
  close();
  fd_ = fd;
  inode_ = file.inode;
  offset_ = offset;
  return true;
}

Result<void> LogReader::seek_start() {
  close();
  inode_ = 0;
  TRY(bool opened, advance());
  (void)opened;
  return {};
}

Result<void> LogReader::seek_tail(int64_t lines) {
  for (int i = 0; i < kListTries; ++i) {
    auto files = list();
    int64_t left = lines;
    bool moved = false;
    // Backwards, from the newest file, until enough lines were seen.
    for (size_t at = files.size(); at-- > 0 && !moved;) {
      TRY(bool opened, open(files[at], 0));
      if (!opened) {
        moved = true;
        break;
      }
      if (lines == 0) {
        offset_ = ::lseek(fd_, 0, SEEK_END);
        return {};
      }
      TRY(offset_, find_tail(fd_, left));
      if (left <= 0) return {};
    }
    if (!moved) return {};
  }
  return seek_start();
}

// To the file after ours. Where ours is not there any more, all that are there are newer.
Result<bool> LogReader::advance() {
  for (int i = 0; i < kListTries; ++i) {
    auto files = list();
    auto ours = std::ranges::find(files, inode_, &File::inode);
    auto next = ours == files.end() ? files.begin() : ours + 1;
    if (next == files.end()) return false;
    TRY(bool opened, open(*next, 0));
    if (opened) return true;
  }
  return false;
}

Result<std::string> LogReader::read() {
  while (true) {
    if (fd_ < 0) {
      TRY(bool opened, advance());
      if (!opened) return std::string();
    }
    size_t size = kPiece;
    std::string bytes;
    size_t whole = 0;
    while (true) {
      TRY(bytes, read_at(fd_, offset_, size));
      auto newline = bytes.rfind('\n');
      whole = newline == std::string::npos ? 0 : newline + 1;
      if (whole > 0 || bytes.size() < size || size >= kMaxLine) break;
      size = kMaxLine;
    }
    if (whole == 0 && bytes.size() >= kMaxLine) whole = bytes.size();
    if (whole > 0) {
      bytes.resize(whole);
      offset_ += static_cast<int64_t>(whole);
      return bytes;
    }
    // The writer names the new file only after its last byte went into ours: what is here now is all.
    bool rotated = inode_of(path_) != inode_;
    if (!rotated) return std::string();
    TRY(std::string rest, read_at(fd_, offset_, kMaxLine));
    if (rest.find('\n') != std::string::npos) continue;
    offset_ += static_cast<int64_t>(rest.size());
    TRY(bool advanced, advance());
    if (!rest.empty()) return rest + "\n";  // cut short by a crash of the writer
    if (!advanced) return std::string();
  }
}

}  // namespace orch::agent
