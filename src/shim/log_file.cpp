#include "shim/log_file.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace orch::shim {

namespace {

constexpr size_t kTimeLength = 30;  // 2026-01-02T15:04:05.000000000Z

void digits(char* at, int count, uint64_t value) {
  for (int i = count - 1; i >= 0; --i, value /= 10) at[i] = static_cast<char>('0' + value % 10);
}

struct Civil {
  uint64_t year, month, day, hour, minute, second;
};

// Days to a date of the Gregorian calendar (Howard Hinnant's civil_from_days), without the C library's time zones.
Civil civil_of(uint64_t seconds) {
  const uint64_t days = seconds / 86400 + 719468;
  const uint64_t era = days / 146097, day_of_era = days % 146097;
  const uint64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const uint64_t shifted = (5 * day_of_year + 2) / 153;
  const uint64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
  return {year_of_era + era * 400 + (month <= 2), month, day_of_year - (153 * shifted + 2) / 5 + 1,
          seconds / 3600 % 24, seconds / 60 % 60, seconds % 60};
}

void format_time(char* out, uint64_t ns) {
  const Civil c = civil_of(ns / 1'000'000'000);
  std::memcpy(out, "0000-00-00T00:00:00.000000000Z", kTimeLength);
  digits(out, 4, c.year);
  digits(out + 5, 2, c.month);
  digits(out + 8, 2, c.day);
  digits(out + 11, 2, c.hour);
  digits(out + 14, 2, c.minute);
  digits(out + 17, 2, c.second);
  digits(out + 20, 9, ns % 1'000'000'000);
}

// ".20260102-150405", as kubelet names rotated logs.
constexpr size_t kSuffixLength = 16, kCountLength = 7;
void format_suffix(char* out, uint64_t ns) {
  const Civil c = civil_of(ns / 1'000'000'000);
  std::memcpy(out, ".00000000-000000", kSuffixLength);
  digits(out + 1, 4, c.year);
  digits(out + 5, 2, c.month);
  digits(out + 7, 2, c.day);
  digits(out + 10, 2, c.hour);
  digits(out + 12, 2, c.minute);
  digits(out + 14, 2, c.second);
}

}  // namespace

uint64_t wall_clock() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

LogFile::~LogFile() = default;

int LogFile::open(const char* path, uint64_t max_bytes, uint64_t max_files) {
  path_ = path;
  max_bytes_ = max_bytes;
  max_files_ = max_files < 2 ? 2 : max_files;
  file_.reset(::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  if (!file_.ok()) return errno;
  struct stat facts;
  size_ = ::fstat(file_.get(), &facts) == 0 ? static_cast<uint64_t>(facts.st_size) : 0;
  return 0;
}

bool LogFile::put(std::string_view stream, char tag, std::string_view text) {
  char head[kTimeLength + 12];
  format_time(head, wall_clock());
  size_t used = kTimeLength;
  head[used++] = ' ';
  std::memcpy(head + used, stream.data(), stream.size());
  used += stream.size();
  head[used++] = ' ';
  head[used++] = tag;
  head[used++] = ' ';
  char newline = '\n';
  iovec parts[3] = {{head, used}, {const_cast<char*>(text.data()), text.size()}, {&newline, 1}};
  const size_t whole = used + text.size() + 1;
  ssize_t n;
  do n = ::writev(file_.get(), parts, 3);
  while (n < 0 && errno == EINTR);
  if (n == static_cast<ssize_t>(whole)) {
    size_ += whole;
    return true;
  }
  // A line cut short by a full disk would spoil the next one.
  if (n > 0 && ::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) size_ += static_cast<uint64_t>(n);
  return false;
}

void LogFile::write(std::string_view stream, bool whole, std::string_view text) {
  if (!file_.ok()) return;
  if (max_bytes_ > 0 && size_ > 0 && size_ + text.size() + kTimeLength + 12 > max_bytes_) rotate();
  if (lost_ > 0) {
    char note[96] = "orch: log lines were lost because the disk was full; bytes: ";
    size_t used = std::strlen(note);
    char number[24];
    size_t at = sizeof number;
    uint64_t rest = lost_;
    do number[--at] = static_cast<char>('0' + rest % 10);
    while ((rest /= 10) > 0);
    std::memcpy(note + used, number + at, sizeof number - at);
    used += sizeof number - at;
    if (put("stderr", 'F', {note, used})) lost_ = 0;
  }
  if (!put(stream, whole ? 'F' : 'P', text)) lost_ += text.size();
}

void LogFile::rotate() {
  char name[4096];
  const size_t length = std::strlen(path_);
  if (length + kSuffixLength + kCountLength + 1 > sizeof name) return;
  // More than one within a second, or a clock that was set back: a number behind it keeps their order.
  const uint64_t second = wall_clock() / 1'000'000'000;
  const bool later = second > rotated_second_;
  if (later) rotated_second_ = second;
  rotated_count_ = later ? 0 : rotated_count_ + 1;
  std::memcpy(name, path_, length);
  format_suffix(name + length, rotated_second_ * 1'000'000'000);
  size_t end = length + kSuffixLength;
  if (rotated_count_ > 0) {
    name[end] = '-';
    digits(name + end + 1, kCountLength - 1, rotated_count_);
    end += kCountLength;
  }
  name[end] = '\0';
  if (::rename(path_, name) != 0) return;
  const int fd = ::open(path_, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (fd < 0) {  // go on with the old one under its name
    ::rename(name, path_);
    return;
  }
  file_.reset(fd);
  size_ = 0;
  remove_oldest();
}

void LogFile::remove_oldest() {
  char directory[4096];
  const char* slash = std::strrchr(path_, '/');
  if (slash == nullptr || static_cast<size_t>(slash - path_) + 1 > sizeof directory) return;
  const size_t length = static_cast<size_t>(slash - path_);
  std::memcpy(directory, path_, length);
  directory[length] = '\0';
  const std::string_view base(slash + 1);
  for (;;) {
    DIR* open_directory = ::opendir(directory);
    if (open_directory == nullptr) return;
    char oldest[256] = "";
    uint64_t count = 0;
    while (const dirent* entry = ::readdir(open_directory)) {
      const std::string_view name(entry->d_name);
      if (name.size() <= base.size() || !name.starts_with(base) || name[base.size()] != '.' || name.size() + 1 > sizeof oldest) continue;
      ++count;
      if (oldest[0] == '\0' || std::strcmp(entry->d_name, oldest) < 0) std::memcpy(oldest, name.data(), name.size() + 1);
    }
    if (count + 1 > max_files_) ::unlinkat(::dirfd(open_directory), oldest, 0);
    ::closedir(open_directory);
    if (count <= max_files_) return;
  }
}

LogStream::~LogStream() { std::free(kept_); }

void LogStream::keep(std::string_view bytes) {
  if (kept_ == nullptr) kept_ = static_cast<char*>(std::malloc(kMaxLine));
  if (kept_ == nullptr) return;
  std::memcpy(kept_ + kept_size_, bytes.data(), bytes.size());
  kept_size_ += bytes.size();
}

void LogStream::feed(LogFile& file, std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t room = kMaxLine - kept_size_;
    const size_t newline = bytes.substr(0, room).find('\n');
    if (newline == std::string_view::npos && bytes.size() < room) return keep(bytes);
    const bool whole = newline != std::string_view::npos;
    const size_t taken = whole ? newline : room;
    if (kept_size_ > 0) {
      keep(bytes.substr(0, taken));
      file.write(name_, whole, {kept_, kept_size_});
      std::free(kept_);
      kept_ = nullptr;
      kept_size_ = 0;
    } else {
      file.write(name_, whole, bytes.substr(0, taken));
    }
    bytes.remove_prefix(taken + (whole ? 1 : 0));
  }
}

void LogStream::finish(LogFile& file) {
  if (kept_size_ == 0) return;
  file.write(name_, true, {kept_, kept_size_});
  std::free(kept_);
  kept_ = nullptr;
  kept_size_ = 0;
}

}  // namespace orch::shim
