#pragma once
// FileWatch: says when something in a directory has changed (inotify, over libuv): a file written, made,
// renamed, removed. What exactly is for the owner to look at. Many changes may be told once.

#include <memory>
#include <string>

#include "loop/uv_loop.h"

namespace orch::loop {

class FileWatch {
 public:
  // Code::io with the errno (ENOENT; ENOSPC: the user's inotify watches are used up).
  static Result<std::unique_ptr<FileWatch>> open(UvLoop& loop, const std::string& directory);
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

  // Set by a change; the owner resets it before it looks, so that no change is missed.
  Event& changed() { return changed_; }

 private:
  struct Handle;
  explicit FileWatch(UvLoop& loop) : changed_(loop) {}
  Event changed_;
  Handle* handle_ = nullptr;  // libuv's, freed by its close callback
};

}  // namespace orch::loop
