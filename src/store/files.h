#pragma once
// The few file operations the store needs: the directory, its lock, durable renames.

#include <cstdint>
#include <string>

#include "base/result.h"

namespace orch::store {

// Makes the directory and its parents, mode 0700. Fine if it is there.
Result<void> make_directory(const std::string& path);
// Makes what was renamed, made or removed in the directory survive a power cut.
Result<void> sync_directory(const std::string& path);
Result<void> sync_file(const std::string& path);
Result<void> rename_file(const std::string& from, const std::string& to);
void remove_file(const std::string& path);  // fine if it is not there
bool file_exists(const std::string& path);
int64_t file_size(const std::string& path);  // 0: not there
// Makes the file with mode 0600 if it is not there; takes rights of others away if it is.
Result<void> make_private_file(const std::string& path);
// <path><suffix>1 becomes <path><suffix>2 and so on; the last one goes. Nothing is called 1 then.
void rotate_files(const std::string& path, const std::string& suffix, int count);

// Held by the process that uses the data directory; the kernel takes it back when the process ends.
class FileLock {
 public:
  // Fails with the holder's process id.
  static Result<FileLock> acquire(const std::string& path);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace orch::store
