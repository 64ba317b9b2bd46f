// A tmpfs that starts with what was in its place before (the mount option tmpcopyup of runc and podman).

#include <dirent.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "shim/step_context.h"

namespace orch::shim {

namespace {

constexpr int kDeepest = 64;  // directories; each level keeps descriptors

int copy_directory(int from, int to, int depth);

int take_owner(int directory, const char* name, const struct stat& facts) {
  return ::fchownat(directory, name, facts.st_uid, facts.st_gid, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
}

int copy_file(int from, int to, const char* name, const struct stat& facts) {
  sys::Fd in(::openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  sys::Fd out(::openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!in.ok() || !out.ok()) return errno;
  for (off_t left = facts.st_size; left > 0;) {
    const ssize_t n = ::sendfile(out.get(), in.get(), nullptr, static_cast<size_t>(left));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) break;
    left -= n;
  }
  if (int error = take_owner(to, name, facts)) return error;
  return ::fchmod(out.get(), facts.st_mode & 07777) == 0 ? 0 : errno;
}

int copy_link(int from, int to, const char* name, const struct stat& facts) {
  char content[4096];
  const ssize_t n = ::readlinkat(from, name, content, sizeof content - 1);
  if (n < 0) return errno;
  content[n] = '\0';
  return ::symlinkat(content, to, name) == 0 ? take_owner(to, name, facts) : errno;
}

int copy_subdirectory(int from, int to, const char* name, const struct stat& facts, int depth) {
  if (::mkdirat(to, name, 0700) != 0) return errno;
  sys::Fd inner(::openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  sys::Fd made(::openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!inner.ok() || !made.ok()) return errno;
  if (int error = copy_directory(inner.get(), made.get(), depth + 1)) return error;
  if (int error = take_owner(to, name, facts)) return error;
  return ::fchmod(made.get(), facts.st_mode & 07777) == 0 ? 0 : errno;
}

int copy_entry(int from, int to, const char* name, int depth) {
  struct stat facts;
  if (::fstatat(from, name, &facts, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  if (S_ISDIR(facts.st_mode)) return copy_subdirectory(from, to, name, facts, depth);
  if (S_ISREG(facts.st_mode)) return copy_file(from, to, name, facts);
  if (S_ISLNK(facts.st_mode)) return copy_link(from, to, name, facts);
  return 0;  // sockets, pipes and devices of an image mean nothing here
}

int copy_directory(int from, int to, int depth) {
  if (depth > kDeepest) return ELOOP;
  const int own = ::fcntl(from, F_DUPFD_CLOEXEC, 3);
  DIR* directory = own < 0 ? nullptr : ::fdopendir(own);
  if (directory == nullptr) return errno;
  int error = 0;
  while (const dirent* entry = error == 0 ? ::readdir(directory) : nullptr) {
    const std::string_view name(entry->d_name);
    if (name != "." && name != "..") error = copy_entry(from, to, entry->d_name, depth);
  }
  ::closedir(directory);
  return error;
}

}  // namespace

int do_filled_tmpfs(StepContext& context, const steps::StepView& step) {
  context.detail = "the mount's target";
  sys::Fd target(open_target(context, step.text(0), TargetKind::directory));
  if (!target.ok()) return errno;
  sys::Fd before(::openat(target.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!before.ok()) return errno;
  context.detail = "mount";
  const char* data = step.text(1).empty() ? nullptr : step.c_str(1);
  const unsigned long flags = step.number(0) & ~static_cast<unsigned long>(MS_RDONLY);
  if (::mount("tmpfs", FdPath(target.get()).c_str(), "tmpfs", flags, data) != 0) return errno;
  sys::Fd mounted(open_target(context, step.text(0), TargetKind::directory));
  sys::Fd after(mounted.ok() ? ::openat(mounted.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1);
  if (!after.ok()) return errno;
  context.detail = "copy of what was there";
  if (int error = copy_directory(before.get(), after.get(), 0)) return error;
  const FdPath path(mounted.get());
  if (step.number(0) & MS_RDONLY) {
    if (::mount(nullptr, path.c_str(), nullptr, step.number(0) | MS_REMOUNT, data) != 0) return errno;
  }
  if (step.number(1) == 0) return 0;
  return ::mount(nullptr, path.c_str(), nullptr, step.number(1), nullptr) == 0 ? 0 : errno;
}

}  // namespace orch::shim
