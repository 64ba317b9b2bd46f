// Steps that make a container's file system. Every target is resolved beneath the root with openat2(2) and
// RESOLVE_IN_ROOT, so that no symbolic link of an image or a volume leads out of it (CVE-2019-16884, CVE-2021-30465).

#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>

#include "shim/step_context.h"

namespace orch::shim {

namespace {

int open_beneath(StepContext& context, const char* path, uint64_t flags, uint64_t resolve = 0) {
  return sys::openat2(context.root.get(), path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve);
}

int make_beneath(int parent, const char* name, TargetKind kind, mode_t mode) {
  if (kind == TargetKind::directory) return ::mkdirat(parent, name, mode);
  const int fd = ::openat(parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd >= 0) ::close(fd);
  return fd < 0 ? -1 : 0;
}

TargetKind kind_of(int fd) {
  struct stat facts;
  return ::fstat(fd, &facts) == 0 && !S_ISDIR(facts.st_mode) ? TargetKind::file : TargetKind::directory;
}

// One detached mount's attributes; kernels before 5.12 take the non-recursive ones by a remount.
int set_attributes(int tree, const steps::StepView& step) {
  const uint64_t set = step.number(1), clear = step.number(2), propagation = step.number(4);
  const bool recursive = step.number(3) != 0;
  if (propagation != 0) {
    // mount_setattr(2) takes the type alone; that it holds below, too, is a flag of the call.
    const bool below = (propagation & MS_REC) != 0;
    if (sys::set_mount_attributes(tree, below, 0, 0, propagation & ~static_cast<uint64_t>(MS_REC)) != 0) return errno;
  }
  if (set == 0 && clear == 0) return 0;
  return sys::set_mount_attributes(tree, recursive, set, clear, 0) == 0 ? 0 : errno;
}

unsigned long remount_flags(uint64_t attributes) {
  unsigned long flags = MS_REMOUNT | MS_BIND;
  if (attributes & MOUNT_ATTR_RDONLY) flags |= MS_RDONLY;
  if (attributes & MOUNT_ATTR_NOSUID) flags |= MS_NOSUID;
  if (attributes & MOUNT_ATTR_NODEV) flags |= MS_NODEV;
  if (attributes & MOUNT_ATTR_NOEXEC) flags |= MS_NOEXEC;
  return flags;
}

int bind_onto(StepContext& context, const steps::StepView& step, int source) {
  const bool recursive = (step.number(0) & MS_REC) != 0;
  sys::Fd tree(sys::open_tree(source, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | (recursive ? 0x8000U : 0U)));
  if (!tree.ok()) return errno;
  int error = set_attributes(tree.get(), step);
  const bool by_remount = error == ENOSYS;
  if (error != 0 && !by_remount) return error;
  sys::Fd target(open_target(context, step.text(1), kind_of(source)));
  context.detail = "the mount's target";
  if (!target.ok()) return errno;
  if (sys::move_mount(tree.get(), target.get()) != 0) return errno;
  if (!by_remount) return 0;
  // The mount's own descriptor still names it, where it is now.
  return ::mount(nullptr, FdPath(tree.get()).c_str(), nullptr, remount_flags(step.number(1)), nullptr) == 0 ? 0 : errno;
}

// Options of more than a page (many layers) go one by one (fsconfig(2), "lowerdir+" since Linux 6.5).
int mount_overlay_in_parts(const steps::StepView& step) {
  sys::Fd fs(sys::fsopen("overlay"));
  if (!fs.ok()) return errno;
  int error = 0;
  size_t at = 0;
  step.each_text(3, [&](std::string_view lower) {
    ++at;
    if (error == 0 && sys::fsconfig_text(fs.get(), "lowerdir+", lower.data()) != 0) error = errno;
  });
  if (error != 0) return error;
  if (!step.text(1).empty()) {
    if (sys::fsconfig_text(fs.get(), "upperdir", step.c_str(1)) != 0) return errno;
    if (sys::fsconfig_text(fs.get(), "workdir", step.c_str(2)) != 0) return errno;
  }
  if (sys::fsconfig_create(fs.get()) != 0) return errno;
  sys::Fd tree(sys::fsmount(fs.get()));
  if (!tree.ok()) return errno;
  sys::Fd target(::open(step.c_str(0), O_PATH | O_CLOEXEC | O_DIRECTORY));
  if (!target.ok()) return errno;
  return sys::move_mount(tree.get(), target.get()) == 0 ? 0 : errno;
}

class Options {
 public:
  void add(std::string_view text) {
    if (used_ + text.size() + 1 > sizeof text_) {
      full_ = true;
      return;
    }
    std::memcpy(text_ + used_, text.data(), text.size());
    used_ += text.size();
    text_[used_] = '\0';
  }
  bool full() const { return full_; }
  const char* c_str() const { return text_; }

 private:
  char text_[4095] = {};  // mount(2) takes a page with its NUL
  size_t used_ = 0;
  bool full_ = false;
};

}  // namespace

namespace {

// A path beneath the root, changed where a symbolic link in it leads to nothing yet.
class TargetPath {
 public:
  // False: too long.
  bool set(std::string_view text) {
    while (text.starts_with('/')) text.remove_prefix(1);
    while (text.ends_with('/')) text.remove_suffix(1);
    if (text.empty()) text = ".";
    if (text.size() + 1 > sizeof text_) return false;
    std::memmove(text_, text.data(), text.size());
    size_ = text.size();
    text_[size_] = '\0';
    return true;
  }
  // Puts what the link at [begin, end) says in its place: from the root where it is absolute.
  bool follow(size_t begin, size_t end, std::string_view link) {
    char joined[sizeof text_];
    const size_t before = link.starts_with('/') ? 0 : begin;
    const size_t rest = size_ - end;
    if (before + link.size() + rest + 1 > sizeof joined) return false;
    std::memcpy(joined, text_, before);
    std::memcpy(joined + before, link.data(), link.size());
    std::memcpy(joined + before + link.size(), text_ + end, rest);
    return set({joined, before + link.size() + rest});
  }
  char* data() { return text_; }
  size_t size() const { return size_; }

 private:
  char text_[4096];
  size_t size_ = 0;
};

enum class Made { whole, link, failed };

// Makes what is missing, a name at a time. `link`: one of the names is a link to nothing, and the path was changed.
Made make_target(StepContext& context, TargetPath& target, TargetKind kind, uint64_t resolve, sys::Fd& made) {
  char* path = target.data();
  sys::Fd parent(::fcntl(context.root.get(), F_DUPFD_CLOEXEC, 3));
  size_t begin = 0;
  for (size_t i = 0; i <= target.size(); ++i) {
    const bool last = i == target.size();
    if (!last && path[i] != '/') continue;
    path[i] = '\0';
    const TargetKind here_kind = last ? kind : TargetKind::directory;
    if (i > begin && make_beneath(parent.get(), path + begin, here_kind, here_kind == TargetKind::file ? 0644 : 0755) != 0 &&
        errno != EEXIST) {
      return Made::failed;
    }
    sys::Fd here(open_beneath(context, path, O_PATH, resolve));
    if (!here.ok()) {
      char link[4096];
      const int error = errno;
      const ssize_t n = error == ENOENT ? ::readlinkat(parent.get(), path + begin, link, sizeof link) : -1;
      if (!last) path[i] = '/';
      if (n > 0 && target.follow(begin, i, {link, static_cast<size_t>(n)})) return Made::link;
      errno = error;
      return Made::failed;
    }
    parent = static_cast<sys::Fd&&>(here);
    if (!last) path[i] = '/';
    begin = i + 1;
  }
  made = static_cast<sys::Fd&&>(parent);
  return Made::whole;
}

}  // namespace

int open_target(StepContext& context, std::string_view target, TargetKind kind, uint64_t resolve) {
  constexpr int kMaxLinks = 40;  // path_resolution(7)
  TargetPath path;
  if (!path.set(target)) {
    errno = ENAMETOOLONG;
    return -1;
  }
  const int found = open_beneath(context, path.data(), O_PATH, resolve);
  if (found >= 0 || errno != ENOENT) return found;
  for (int links = 0; links < kMaxLinks; ++links) {
    sys::Fd made;
    switch (make_target(context, path, kind, resolve, made)) {
      case Made::whole: return made.release();
      case Made::failed: return -1;
      case Made::link: continue;
    }
  }
  errno = ELOOP;
  return -1;
}

int do_propagation(StepContext& context, const steps::StepView& step) {
  context.detail = "the propagation of /";
  return ::mount(nullptr, "/", nullptr, step.number(0), nullptr) == 0 ? 0 : errno;
}

int do_overlay(StepContext& context, const steps::StepView& step) {
  context.detail = "mount of the overlay";
  Options options;
  bool escaped = false;
  options.add("lowerdir=");
  size_t count = 0;
  step.each_text(3, [&](std::string_view lower) {
    if (count++ > 0) options.add(":");
    // ':' and ',' would end the name.
    if (lower.find_first_of(":,\\") != std::string_view::npos) escaped = true;
    options.add(lower);
  });
  if (!step.text(1).empty()) {
    options.add(",upperdir=");
    options.add(step.text(1));
    options.add(",workdir=");
    options.add(step.text(2));
  }
  if (options.full() || escaped) return mount_overlay_in_parts(step);
  return ::mount("overlay", step.c_str(0), "overlay", 0, options.c_str()) == 0 ? 0 : errno;
}

int do_bind_root(StepContext& context, const steps::StepView& step) {
  context.detail = "bind of the root";
  return ::mount(step.c_str(0), step.c_str(0), nullptr, MS_BIND | step.number(0), nullptr) == 0 ? 0 : errno;
}

int do_root(StepContext& context, const steps::StepView& step) {
  context.detail = "open of the root";
  context.root.reset(::open(step.c_str(0), O_PATH | O_CLOEXEC | O_DIRECTORY));
  return context.root.ok() ? 0 : errno;
}

int do_mount(StepContext& context, const steps::StepView& step) {
  context.detail = "the mount's target";
  const std::string_view type = step.text(2);
  // What is masked and made read-only later is found by its name: an image or a volume must not have sent these two
  // elsewhere by a symbolic link (CVE-2019-19921).
  const bool plain = type == "proc" || type == "sysfs";
  if (plain) context.detail = "the file system must be mounted on an ordinary directory";
  sys::Fd target(open_target(context, step.text(1), TargetKind::directory, plain ? RESOLVE_NO_SYMLINKS : 0));
  if (!target.ok()) return errno;
  context.detail = "mount";
  const FdPath path(target.get());
  const char* data = step.text(3).empty() ? nullptr : step.c_str(3);
  if (::mount(step.c_str(0), path.c_str(), step.c_str(2), step.number(0), data) != 0) return errno;
  if (step.number(1) == 0) return 0;
  sys::Fd mounted(open_target(context, step.text(1), TargetKind::directory));
  if (!mounted.ok()) return errno;
  return ::mount(nullptr, FdPath(mounted.get()).c_str(), nullptr, step.number(1), nullptr) == 0 ? 0 : errno;
}

int do_bind(StepContext& context, const steps::StepView& step) {
  context.detail = "the mount's source";
  sys::Fd source(::open(step.c_str(0), O_PATH | O_CLOEXEC));
  if (!source.ok()) return errno;
  if (!step.text(2).empty()) {
    context.detail = "the mount's subPath";
    sys::Fd inner(sys::openat2(source.get(), step.c_str(2), O_PATH, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS));
    if (!inner.ok()) return errno;
    source = static_cast<sys::Fd&&>(inner);
  }
  context.detail = "bind";
  return bind_onto(context, step, source.get());
}

int do_device(StepContext& context, const steps::StepView& step) {
  context.detail = "the device";
  std::string_view target = step.text(0);
  char path[512];
  if (target.size() + 1 > sizeof path) return ENAMETOOLONG;
  std::memcpy(path, target.data(), target.size());
  path[target.size()] = '\0';
  char* slash = std::strrchr(path, '/');
  if (slash == nullptr) return EINVAL;
  *slash = '\0';
  sys::Fd parent(open_target(context, path, TargetKind::directory));
  if (!parent.ok()) return errno;
  const mode_t mode = static_cast<mode_t>(step.number(0));
  const dev_t device = ::makedev(static_cast<unsigned>(step.number(1)), static_cast<unsigned>(step.number(2)));
  if (::mknodat(parent.get(), slash + 1, mode, device) == 0) {
    // umask took its part of the mode.
    if (::fchmodat(parent.get(), slash + 1, mode & 07777, 0) != 0) return errno;
    return ::fchownat(parent.get(), slash + 1, static_cast<uid_t>(step.number(3)), static_cast<gid_t>(step.number(4)),
                      AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
  }
  if (errno == EEXIST) return 0;
  if (errno != EPERM) return errno;
  sys::Fd host(::open(step.c_str(0), O_PATH | O_CLOEXEC));
  if (!host.ok()) return errno;
  sys::Fd place(open_target(context, target, TargetKind::file));
  if (!place.ok()) return errno;
  return ::mount(step.c_str(0), FdPath(place.get()).c_str(), nullptr, MS_BIND, nullptr) == 0 ? 0 : errno;
}

int do_symlink(StepContext& context, const steps::StepView& step) {
  context.detail = "the symbolic link";
  char path[512];
  std::string_view target = step.text(1);
  if (target.size() + 1 > sizeof path) return ENAMETOOLONG;
  std::memcpy(path, target.data(), target.size());
  path[target.size()] = '\0';
  char* slash = std::strrchr(path, '/');
  if (slash == nullptr) return EINVAL;
  *slash = '\0';
  sys::Fd parent(open_target(context, path, TargetKind::directory));
  if (!parent.ok()) return errno;
  if (::symlinkat(step.c_str(0), parent.get(), slash + 1) == 0 || errno == EEXIST) return 0;
  return errno;
}

// A terminal of the container's own devpts: its master goes to whoever asked, its slave becomes standard input, output
// and error, and is seen at the target.
int do_console(StepContext& context, const steps::StepView& step) {
  context.detail = "open of /dev/ptmx";
  sys::Fd master(open_beneath(context, "dev/pts/ptmx", O_RDWR | O_NOCTTY));
  if (!master.ok()) return errno;
  int unlock = 0;
  context.detail = "the terminal";
  if (::ioctl(master.get(), TIOCSPTLCK, &unlock) != 0) return errno;
  sys::Fd slave(::ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!slave.ok()) return errno;
  if (!step.text(0).empty()) {
    sys::Fd target(open_target(context, step.text(0), TargetKind::file));
    if (!target.ok()) return errno;
    if (::mount(FdPath(slave.get()).c_str(), FdPath(target.get()).c_str(), nullptr, MS_BIND, nullptr) != 0) return errno;
  }
  const int fd = master.get();
  if (int error = sys::send_message(context.options.console_socket, "/dev/ptmx", &fd, 1)) return error;
  for (int standard = 0; standard < 3; ++standard) {
    if (::dup2(slave.get(), standard) < 0) return errno;
  }
  return 0;
}

int do_pivot_root(StepContext& context, const steps::StepView&) {
  context.detail = "pivot_root";
  if (::fchdir(context.root.get()) != 0) return errno;
  // pivot_root(2): with "." twice the old root lies over the new one, and can be let go at once.
  if (sys::pivot_root(".", ".") != 0) return errno;
  context.detail = "umount of the old root";
  if (::mount(nullptr, ".", nullptr, MS_SLAVE | MS_REC, nullptr) != 0) return errno;
  if (::umount2(".", MNT_DETACH) != 0) return errno;
  context.root.reset();
  return ::chdir("/") == 0 ? 0 : errno;
}

int do_move_root(StepContext& context, const steps::StepView&) {
  context.detail = "move of the root";
  if (::fchdir(context.root.get()) != 0) return errno;
  if (::mount(".", "/", nullptr, MS_MOVE, nullptr) != 0) return errno;
  context.root.reset();
  if (::chroot(".") != 0) return errno;
  return ::chdir("/") == 0 ? 0 : errno;
}

int do_read_only_root(StepContext& context, const steps::StepView&) {
  context.detail = "the read-only root";
  sys::Fd root(::open("/", O_PATH | O_CLOEXEC | O_DIRECTORY));
  if (!root.ok()) return errno;
  if (sys::set_mount_attributes(root.get(), false, MOUNT_ATTR_RDONLY, 0, 0) == 0) return 0;
  return ::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0 ? 0 : errno;
}

int do_mask(StepContext& context, const steps::StepView& step) {
  context.detail = "the masked path";
  sys::Fd target(::open(step.c_str(0), O_PATH | O_CLOEXEC));
  if (!target.ok()) return errno == ENOENT || errno == ENOTDIR ? 0 : errno;
  if (kind_of(target.get()) == TargetKind::directory) {
    return ::mount("tmpfs", step.c_str(0), "tmpfs", MS_RDONLY, "size=0k,nr_inodes=2,mode=755") == 0 ? 0 : errno;
  }
  // A volume may lie over /dev, and what it has there may be anything (CVE-2025-31133).
  context.detail = "/dev/null of the container, to mask a path with";
  sys::Fd null(sys::open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | AT_SYMLINK_NOFOLLOW));
  if (!null.ok()) return errno;
  struct stat facts;
  if (::fstat(null.get(), &facts) != 0) return errno;
  if (!S_ISCHR(facts.st_mode) || facts.st_rdev != ::makedev(1, 3)) return EINVAL;
  return sys::move_mount(null.get(), target.get()) == 0 ? 0 : errno;
}

int do_read_only(StepContext& context, const steps::StepView& step) {
  context.detail = "the read-only path";
  sys::Fd tree(sys::open_tree(AT_FDCWD, step.c_str(0), OPEN_TREE_CLONE | 0x8000U));
  if (!tree.ok()) return errno == ENOENT ? 0 : errno;
  if (sys::set_mount_attributes(tree.get(), true, MOUNT_ATTR_RDONLY, 0, 0) != 0) return errno;
  sys::Fd target(::open(step.c_str(0), O_PATH | O_CLOEXEC));
  if (!target.ok()) return errno;
  return sys::move_mount(tree.get(), target.get()) == 0 ? 0 : errno;
}

namespace {

int make_directory(const char* whole) {
  char path[4096];
  const size_t length = std::strlen(whole);
  if (length + 1 > sizeof path) return ENAMETOOLONG;
  std::memcpy(path, whole, length + 1);
  for (size_t i = 1; i <= length; ++i) {
    if (i < length && whole[i] != '/') continue;
    path[i] = '\0';
    if (::mkdir(path, 0755) != 0 && errno != EEXIST) return errno;
    if (i < length) path[i] = '/';
  }
  return 0;
}

}  // namespace

int do_directory(StepContext& context, const steps::StepView& step) {
  context.detail = "chdir to the working directory";
  if (::chdir(step.c_str(0)) != 0) {
    if (errno != ENOENT) return errno;
    if (const int error = make_directory(step.c_str(0))) return error;
    if (::chdir(step.c_str(0)) != 0) return errno;
  }
  // getcwd(2) says "(unreachable)/..." of a place that is not beneath our root (CVE-2024-21626).
  context.detail = "the working directory is outside of the container";
  char path[4096];
  if (::syscall(SYS_getcwd, path, sizeof path) < 0) return errno;
  return path[0] == '/' ? 0 : EXDEV;
}

}  // namespace orch::shim
