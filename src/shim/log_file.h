#pragma once
// A container's log in CRI's format (kubernetes/design-proposals-archive, node/kubelet-cri-logging.md):
//   2026-01-02T15:04:05.000000000Z stdout F a whole line
// Lines of more than 16 KiB are cut into P(artial) pieces with an F(ull) one at the end. A file that grows past its
// limit is renamed to <path>.<time> and a new one begun; the oldest of too many goes.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "linux/raw.h"

namespace orch::shim {

class LogFile {
 public:
  ~LogFile();
  // `path` is kept by the caller. 0, or an errno.
  int open(const char* path, uint64_t max_bytes, uint64_t max_files);
  // One piece of a line. What a full disk refuses is counted, and said once there is room again.
  void write(std::string_view stream, bool whole, std::string_view text);
  void close() { file_.reset(); }

 private:
  void rotate();
  void remove_oldest();
  bool put(std::string_view stream, char tag, std::string_view text);

  const char* path_ = nullptr;
  sys::Fd file_;
  uint64_t size_ = 0;
  uint64_t max_bytes_ = 0;
  uint64_t max_files_ = 0;
  uint64_t lost_ = 0;
  uint64_t rotated_second_ = 0, rotated_count_ = 0;  // so that names are in the order of their making
};

// One of the two streams: bytes in, lines out. Keeps the beginning of an unfinished line, on the heap while there is one.
class LogStream {
 public:
  explicit LogStream(std::string_view name) : name_(name) {}
  ~LogStream();
  void feed(LogFile& file, std::string_view bytes);
  void finish(LogFile& file);

 private:
  static constexpr size_t kMaxLine = 16 * 1024;
  void keep(std::string_view bytes);
  std::string_view name_;
  char* kept_ = nullptr;
  size_t kept_size_ = 0;
};

// Nanoseconds since 1970.
uint64_t wall_clock();

}  // namespace orch::shim
