#pragma once
// Reads a container's log, across its rotated files: "<path>" is being written, "<path>.<suffix>" are older
// (numbers: the highest is the oldest; else names in order). Compressed ones are not read.
//
// Every call blocks on the disk: use it on a worker thread, one call at a time.

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace orch::agent {

class LogReader {
 public:
  explicit LogReader(std::string path) : path_(std::move(path)) {}
  ~LogReader();
  LogReader(const LogReader&) = delete;
  LogReader& operator=(const LogReader&) = delete;

  // Where reading begins: the oldest line, or the last `lines` lines (found from the end, without reading what is
  // before them).
  Result<void> seek_start();
  Result<void> seek_tail(int64_t lines);
  // Whole lines, about 64 KiB; "" when there are none at present. Goes on with the next file once the log was
  // rotated: no line is lost or read twice, unless so many files came meanwhile that ours was removed.
  Result<std::string> read();

 private:
  struct File {
    std::string path;
    uint64_t inode = 0;
  };
  std::vector<File> list() const;  // the oldest first
  std::vector<File> list_once() const;
  Result<bool> open(const File& file, int64_t offset);  // false: it has gone meanwhile
  Result<bool> advance();                               // false: ours is the newest
  void close();

  std::string path_;
  int fd_ = -1;
  uint64_t inode_ = 0;
  int64_t offset_ = 0;
};

}  // namespace orch::agent
