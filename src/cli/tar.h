#pragma once
// tar archives as `cp` exchanges them with the container's tar: a writer (ustar, long names and sizes in pax
// headers) and a reader of what GNU tar, BusyBox and bsdtar write. Sans-I/O, nothing is trusted.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace orch::cli {

struct TarEntry {
  enum class Type : uint8_t { file, directory, symlink, hardlink, other };
  Type type = Type::file;
  std::string path;  // as it stands in the archive
  std::string link;  // a link's target
  uint32_t mode = 0644;
  int64_t size = 0;  // bytes of a file's content
  int64_t mtime = 0;  // seconds
};

// The header blocks of an entry; a file's content follows, then tar_padding(size).
std::string tar_header(const TarEntry& entry);
std::string tar_padding(int64_t size);
std::string tar_end();

// Bytes in; entries and pieces of their content out.
class TarReader {
 public:
  void feed(std::string_view bytes) { input_ += bytes; }
  struct Event {
    std::optional<TarEntry> entry;  // the next one begins
    std::string content;            // or bytes of the last one
    bool at_end = false;            // the archive has ended
  };
  // Nothing: more bytes are needed. Code::parse for what is no archive.
  Result<std::optional<Event>> next();
  // The bytes have ended: Code::parse in the middle of an entry.
  Result<void> finish() const;

 private:
  Result<std::optional<Event>> read_header();
  Result<bool> read_extensions();
  Result<void> apply_extension(char type, std::string_view content);

  std::string input_;
  int64_t left_ = 0;     // bytes of content to come
  int64_t padding_ = 0;  // and what fills its last block
  bool ended_ = false;
  std::string long_path_, long_link_;  // for the next entry
  std::optional<int64_t> long_size_;
};

// Where an entry goes below `root`: without "..", absolute paths or empty parts. Nothing: it would leave it.
std::optional<std::string> safe_path(std::string_view path);

}  // namespace orch::cli
