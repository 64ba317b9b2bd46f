#pragma once
// Whole files, read and written on a worker thread. What survives a crash is either the old content or
// the new, never half of it.

#include <string>

#include "loop/loop.h"

namespace orch::loop {

// Code::not_found where there is none; Code::too_large past `limit` bytes.
Task<std::string> read_file(Loop& loop, std::string path, size_t limit = 64 * 1024 * 1024);

// Into a temporary file beside it, fsync, rename, fsync of the directory. `mode` is for a new file, and
// not widened by an old one. Code::io with the errno.
Task<void> write_file_atomic(Loop& loop, std::string path, std::string content, unsigned mode = 0600);

// The same, blocking: for start-up before the loop runs, and inside other offloaded work.
Result<std::string> read_file_now(const std::string& path, size_t limit = 64 * 1024 * 1024);
Result<void> write_file_atomic_now(const std::string& path, std::string_view content, unsigned mode = 0600);

}  // namespace orch::loop
