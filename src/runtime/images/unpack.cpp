#include "runtime/images/unpack.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "base/text.h"
#include "runtime/images/archive.h"
#include "runtime/images/tree.h"

namespace orch::runtime::images {

namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr std::string_view kWhiteoutMeta = ".wh..wh.";
constexpr const char* kOpaqueAttribute = "trusted.overlay.opaque";
// How much is written between two looks at the free space.
constexpr int64_t kSpaceCheckInterval = int64_t{32} << 20;

// Lexically clean and relative, "" for the root; nullopt if it climbs out.
std::optional<std::string> clean_path(std::string_view path) {
  std::vector<std::string> parts;
  for (std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.emplace_back(part);
    } else if (parts.empty()) {
      return std::nullopt;
    } else {
      parts.pop_back();
    }
  }
  return join(parts, "/");
}

std::pair<std::string, std::string> parent_and_name(const std::string& path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

// What an image may say about its files. The kernel's overlay takes orders from trusted.overlay.*, so an
// image must not write those itself.
bool is_allowed_xattr(std::string_view name) {
  return name.starts_with("user.") || name == "security.capability" || name.starts_with("system.posix_acl_");
}

class Unpacker {
 public:
  Unpacker(int root, const UnpackLimits& limits, const std::atomic<bool>* cancelled)
      : root_(root), limits_(limits), cancelled_(cancelled) {}

  Result<void> run(TarReader& reader);
  int64_t entries() const { return entries_; }
  std::vector<std::string> implied() const { return {implied_.begin(), implied_.end()}; }

 private:
  Result<void> add(const TarEntry& entry, TarReader& reader);
  Result<Fd> open_parent(const std::string& parent);
  Result<void> clear_way(int parent, const std::string& name, const TarEntry& entry);
  Result<void> whiteout(int parent, const std::string& directory, const std::string& name);
  Result<void> make_opaque(int parent, const std::string& name);
  Result<void> make(int parent, const std::string& path, const std::string& name, const TarEntry& entry, TarReader& reader);
  Result<void> make_directory(int parent, const std::string& path, const std::string& name, const TarEntry& entry);
  Result<void> make_file(int parent, const std::string& name, const TarEntry& entry, TarReader& reader);
  Result<void> make_hardlink(int parent, const std::string& name, const TarEntry& entry);
  Result<void> make_node(int parent, const std::string& name, const TarEntry& entry, mode_t type);
  Result<void> write_content(int fd, const TarEntry& entry, TarReader& reader);
  Result<void> set_attributes(int parent, const std::string& name, const TarEntry& entry);
  Result<void> check_space(int64_t more);
  Result<void> set_directory_times();
  bool is_cancelled() const { return cancelled_ && cancelled_->load(std::memory_order_relaxed); }

  int root_;
  const UnpackLimits& limits_;
  const std::atomic<bool>* cancelled_;
  int64_t entries_ = 0;
  int64_t bytes_ = 0;
  int64_t unchecked_ = kSpaceCheckInterval;
  std::set<std::string> implied_;
  std::unordered_set<std::string> whiteouts_;  // names that this layer hides below it
  std::unordered_map<std::string, timespec> directory_times_;
};

Result<void> Unpacker::run(TarReader& reader) {
  while (true) {
    if (is_cancelled()) return Error::make(Code::cancelled, "cancelled");
    TRY(auto entry, reader.next());
    if (!entry) return set_directory_times();
    if (++entries_ > limits_.entries) {
      return Error::make(Code::invalid, "more than " + std::to_string(limits_.entries) + " entries");
    }
    auto added = add(*entry, reader);
    if (!added.ok()) return std::move(added).with_context("entry " + quote(entry->path));
  }
}

Result<void> Unpacker::add(const TarEntry& entry, TarReader& reader) {
  auto path = clean_path(entry.path);
  if (!path) return Error::make(Code::invalid, "the path leads out of the image");
  if (path->empty()) {  // "./": the root itself
    if (entry.type == TarEntry::Type::directory) return make_directory(root_, "", ".", entry);
    return Error::make(Code::invalid, "the image's root can only be a directory");
  }
  auto [directory, name] = parent_and_name(*path);
  TRY(Fd parent, open_parent(directory));
  if (name == kOpaque) return make_opaque(parent.get(), ".");
  if (name.starts_with(kWhiteoutMeta)) return {};  // AUFS' own book-keeping
  if (name.starts_with(kWhiteout)) return whiteout(parent.get(), directory, name.substr(kWhiteout.size()));
  if (entry.type == TarEntry::Type::other) return Error::make(Code::invalid, "an entry of unknown type");
  TRY_VOID(clear_way(parent.get(), name, entry));
  return make(parent.get(), *path, name, entry, reader);
}

// The directory that an entry goes into; what is missing of it is made, and remembered.
Result<Fd> Unpacker::open_parent(const std::string& parent) {
  Fd found(open_in_root(root_, parent, O_PATH | O_DIRECTORY));
  if (found.ok()) return found;
  if (errno != ENOENT) return Error::from_errno(errno, "open its directory");
  Fd at(::openat(root_, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  std::string path;
  for (std::string_view part : split(parent, '/')) {
    path += (path.empty() ? "" : "/") + std::string(part);
    Fd next(open_in_root(root_, path, O_PATH | O_DIRECTORY));
    if (!next.ok() && errno == ENOENT) {
      std::string name(part);
      bool made = ::mkdirat(at.get(), name.c_str(), 0755) == 0 && ::fchmodat(at.get(), name.c_str(), 0755, 0) == 0;
      if (!made) return Error::from_errno(errno, "make its directory");
      implied_.insert(path);
      next = Fd(open_in_root(root_, path, O_PATH | O_DIRECTORY));
    }
    if (!next.ok()) return Error::from_errno(errno, "open its directory");
    at = std::move(next);
  }
  return at;
}

// A later entry replaces an earlier one; only directories are merged.
Result<void> Unpacker::clear_way(int parent, const std::string& name, const TarEntry& entry) {
  struct stat info{};
  if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return {};
    return Error::from_errno(errno, "look at its place");
  }
  if (S_ISDIR(info.st_mode) && entry.type == TarEntry::Type::directory) return {};
  if (!S_ISDIR(info.st_mode)) {
    if (::unlinkat(parent, name.c_str(), 0) == 0) return {};
    return Error::from_errno(errno, "replace what an earlier entry made");
  }
  return remove_tree("/proc/self/fd/" + std::to_string(parent) + "/" + name);
}

Result<void> Unpacker::make_opaque(int parent, const std::string& name) {
  return write_xattr(parent, name, kOpaqueAttribute, "y");
}

// Hides what lies below, never what this layer itself has there (OCI image spec, layer.md, "Whiteouts").
Result<void> Unpacker::whiteout(int parent, const std::string& directory, const std::string& name) {
  if (name.empty() || name == "." || name == "..") return Error::make(Code::invalid, "a whiteout without a name");
  whiteouts_.insert(directory + "/" + name);
  struct stat info{};
  if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
    if (S_ISDIR(info.st_mode)) return make_opaque(parent, name);
    return {};
  }
  if (::mknodat(parent, name.c_str(), S_IFCHR, makedev(0, 0)) != 0) return Error::from_errno(errno, "make a whiteout");
  return {};
}

Result<void> Unpacker::make(int parent, const std::string& path, const std::string& name, const TarEntry& entry,
                            TarReader& reader) {
  using Type = TarEntry::Type;
  switch (entry.type) {
    case Type::directory: return make_directory(parent, path, name, entry);
    case Type::file: return make_file(parent, name, entry, reader);
    case Type::hardlink: return make_hardlink(parent, name, entry);
    case Type::character: return make_node(parent, name, entry, S_IFCHR);
    case Type::block: return make_node(parent, name, entry, S_IFBLK);
    case Type::fifo: return make_node(parent, name, entry, S_IFIFO);
    case Type::symlink:
      if (::symlinkat(entry.target.c_str(), parent, name.c_str()) != 0) return Error::from_errno(errno, "make a symbolic link");
      return set_attributes(parent, name, entry);
    case Type::other: break;
  }
  return Error::make(Code::invalid, "an entry of unknown type");
}

Result<void> Unpacker::make_directory(int parent, const std::string& path, const std::string& name, const TarEntry& entry) {
  bool made = ::mkdirat(parent, name.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return Error::from_errno(errno, "make a directory");
  implied_.erase(path);
  auto [directory, base] = parent_and_name(path);
  if (made && whiteouts_.contains(directory + "/" + base)) TRY_VOID(make_opaque(parent, name));
  directory_times_[path] = timespec{static_cast<time_t>(entry.mtime_s), static_cast<long>(entry.mtime_ns)};
  return set_attributes(parent, name, entry);
}

Result<void> Unpacker::make_file(int parent, const std::string& name, const TarEntry& entry, TarReader& reader) {
  Fd fd(::openat(parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.ok()) return Error::from_errno(errno, "make a file");
  TRY_VOID(write_content(fd.get(), entry, reader));
  return set_attributes(parent, name, entry);
}

Result<void> Unpacker::write_content(int fd, const TarEntry& entry, TarReader& reader) {
  if (entry.size < 0 || entry.size > limits_.bytes - bytes_) {
    return Error::make(Code::invalid, "the layer has more than " + std::to_string(limits_.bytes) + " bytes");
  }
  bytes_ += entry.size;
  while (true) {
    TRY(TarReader::Piece piece, reader.read());
    if (piece.bytes.empty()) break;
    if (is_cancelled()) return Error::make(Code::cancelled, "cancelled");
    TRY_VOID(check_space(static_cast<int64_t>(piece.bytes.size())));
    off_t at = piece.offset;
    for (std::string_view left = piece.bytes; !left.empty();) {
      ssize_t count = ::pwrite(fd, left.data(), left.size(), at);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return Error::from_errno(errno, "write");
      left.remove_prefix(static_cast<size_t>(count));
      at += count;
    }
  }
  if (::ftruncate(fd, entry.size) != 0) return Error::from_errno(errno, "write");  // a hole at the end
  return {};
}

Result<void> Unpacker::check_space(int64_t more) {
  unchecked_ += more;
  if (unchecked_ < kSpaceCheckInterval) return {};
  unchecked_ = 0;
  struct statvfs info{};
  if (::fstatvfs(root_, &info) != 0) return {};
  auto available = static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
  if (available >= limits_.keep_free) return {};
  return Error::from_errno(ENOSPC, "the disk of the image store is full; free some space");
}

Result<void> Unpacker::make_hardlink(int parent, const std::string& name, const TarEntry& entry) {
  auto target = clean_path(entry.target);
  if (!target || target->empty()) return Error::make(Code::invalid, "the hard link leads out of the image");
  auto [directory, base] = parent_and_name(*target);
  Fd at(open_in_root(root_, directory, O_PATH | O_DIRECTORY));
  if (at.ok() && ::linkat(at.get(), base.c_str(), parent, name.c_str(), 0) == 0) return {};
  return Error::from_errno(errno, "make a hard link to " + quote(entry.target));
}

Result<void> Unpacker::make_node(int parent, const std::string& name, const TarEntry& entry, mode_t type) {
  dev_t device = type == S_IFIFO ? 0 : makedev(entry.device_major, entry.device_minor);
  if (::mknodat(parent, name.c_str(), type | 0600, device) != 0) return Error::from_errno(errno, "make a device");
  return set_attributes(parent, name, entry);
}

// The owner first: changing it takes set-id bits and capabilities away.
Result<void> Unpacker::set_attributes(int parent, const std::string& name, const TarEntry& entry) {
  if (::fchownat(parent, name.c_str(), entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0) {
    return Error::from_errno(errno, "set its owner");
  }
  bool is_link = entry.type == TarEntry::Type::symlink;
  if (!is_link && ::fchmodat(parent, name.c_str(), entry.mode, 0) != 0) return Error::from_errno(errno, "set its mode");
  for (const auto& [key, value] : entry.xattrs) {
    if (!is_allowed_xattr(key)) continue;
    auto written = write_xattr(parent, name, key, value);
    if (!written.ok() && written.error().error_number() != ENOTSUP) return written;
  }
  timespec time{static_cast<time_t>(entry.mtime_s), static_cast<long>(entry.mtime_ns)};
  const timespec times[2] = {time, time};
  if (::utimensat(parent, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) return Error::from_errno(errno, "set its time");
  return {};
}

// Last of all: every entry inside changes its directory's time.
Result<void> Unpacker::set_directory_times() {
  for (const auto& [path, time] : directory_times_) {
    Fd directory(open_without_links(root_, path, O_RDONLY | O_DIRECTORY));
    if (!directory.ok()) continue;  // a later entry replaced it
    const timespec times[2] = {time, time};
    if (::futimens(directory.get(), times) != 0) return Error::from_errno(errno, "set the time of " + quote(path));
  }
  return {};
}

Result<void> unpack_through(HashingSource& packed, UnpackedLayer& layer, int root, const UnpackLimits& limits,
                            const std::atomic<bool>* cancelled) {
  TRY(auto plain, decompress(packed));
  HashingSource tar(*plain);
  TRY(auto reader, TarReader::open(tar));
  Unpacker unpacker(root, limits, cancelled);
  TRY_VOID(unpacker.run(*reader));
  TRY_VOID(tar.drain());
  layer.diff_id = tar.digest();
  layer.entries = unpacker.entries();
  layer.implied = unpacker.implied();
  layer.complete_tar = tar.ends_in_zeros();
  return {};
}

}  // namespace

Result<UnpackedLayer> unpack_layer(ByteSource& source, const std::string& directory, const ExpectedLayer& expected,
                                   const UnpackLimits& limits, const std::atomic<bool>* cancelled) {
  Fd root(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.ok()) return Error::from_errno(errno, "open " + directory);
  HashingSource packed(source);
  UnpackedLayer layer;
  auto unpacked = unpack_through(packed, layer, root.get(), limits, cancelled);
  // Bytes that are not those that were asked for: that is what is wrong, not what they look like.
  bool judge = unpacked.ok() || (unpacked.error().is(Code::invalid) && !expected.blob_digest.empty());
  if (!judge) return std::move(unpacked).error();
  TRY_VOID(packed.drain());
  layer.blob_digest = packed.digest();
  layer.blob_size = packed.bytes();
  if (!expected.blob_digest.empty() && layer.blob_digest != expected.blob_digest) {
    return Error::make(Code::invalid, "unexpected commit digest " + layer.blob_digest + ", expected " + expected.blob_digest +
                                          ": failed precondition");
  }
  TRY_VOID(std::move(unpacked));
  if (!expected.diff_id.empty() && layer.diff_id != expected.diff_id) {
    return Error::make(Code::invalid, "wrong diff id calculated on extraction " + quote(layer.diff_id) + ", expected " +
                                          quote(expected.diff_id));
  }
  return layer;
}

}  // namespace orch::runtime::images
