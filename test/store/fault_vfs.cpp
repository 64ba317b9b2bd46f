#include "fault_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>

namespace orch::test {

namespace {

struct File {
  sqlite3_file base;
  sqlite3_file* real;  // lies behind this struct
  const char* path;    // SQLite keeps it as long as the file is open
};

sqlite3_file* real(sqlite3_file* file) { return reinterpret_cast<File*>(file)->real; }
const char* path_of(sqlite3_file* file) { return reinterpret_cast<File*>(file)->path; }
sqlite3_vfs* usual() { return sqlite3_vfs_find("unix"); }

int on_close(sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); }
int on_read(sqlite3_file* f, void* to, int n, sqlite3_int64 at) { return real(f)->pMethods->xRead(real(f), to, n, at); }
int on_write(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
  FaultVfs& faults = FaultVfs::get();
  if (faults.broken) return SQLITE_IOERR_WRITE;
  sqlite3_int64 size = 0;
  real(f)->pMethods->xFileSize(real(f), &size);
  if (faults.full && at + n > size) return SQLITE_FULL;
  faults.bytes_written += static_cast<uint64_t>(n);
  if (path_of(f)) faults.changed(path_of(f), {at, std::string(static_cast<const char*>(from), static_cast<size_t>(n))});
  return real(f)->pMethods->xWrite(real(f), from, n, at);
}
int on_truncate(sqlite3_file* f, sqlite3_int64 size) {
  if (path_of(f)) FaultVfs::get().changed(path_of(f), {size, "", true});
  return real(f)->pMethods->xTruncate(real(f), size);
}
int on_sync(sqlite3_file* f, int flags) {
  FaultVfs& faults = FaultVfs::get();
  if (faults.sync_broken) return SQLITE_IOERR_FSYNC;
  ++faults.syncs;
  if (path_of(f) && faults.synced(path_of(f))) return SQLITE_OK;
  return real(f)->pMethods->xSync(real(f), flags);
}
int on_size(sqlite3_file* f, sqlite3_int64* size) { return real(f)->pMethods->xFileSize(real(f), size); }
int on_lock(sqlite3_file* f, int level) { return real(f)->pMethods->xLock(real(f), level); }
int on_unlock(sqlite3_file* f, int level) { return real(f)->pMethods->xUnlock(real(f), level); }
int on_reserved(sqlite3_file* f, int* out) { return real(f)->pMethods->xCheckReservedLock(real(f), out); }
int on_control(sqlite3_file* f, int op, void* arg) { return real(f)->pMethods->xFileControl(real(f), op, arg); }
int on_sector(sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); }
int on_device(sqlite3_file* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); }

// Version 1: no shared memory, so the store must be able to do without it.
const sqlite3_io_methods kMethods = {1, on_close, on_read, on_write, on_truncate, on_sync, on_size, on_lock,
                                     on_unlock, on_reserved, on_control, on_sector, on_device,
                                     nullptr, nullptr, nullptr, nullptr, nullptr, nullptr};

int on_open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
  auto* mine = reinterpret_cast<File*>(file);
  std::memset(mine, 0, sizeof *mine);
  mine->real = reinterpret_cast<sqlite3_file*>(mine + 1);
  int code = usual()->xOpen(usual(), name, mine->real, flags, out);
  mine->path = name;
  if (code == SQLITE_OK) mine->base.pMethods = &kMethods;
  if (code == SQLITE_OK && name) FaultVfs::get().opened(name);
  return code;
}

int on_delete(sqlite3_vfs*, const char* name, int sync) {
  FaultVfs::get().removed(name);
  return usual()->xDelete(usual(), name, sync);
}

void apply(std::string& content, const FaultVfs::Change& change, SeededRandom* random) {
  if (change.truncates) {
    if (!random || random->below(2) == 0) content.resize(static_cast<size_t>(change.at));
    return;
  }
  constexpr size_t kSector = 512;
  for (size_t from = 0; from < change.bytes.size(); from += kSector) {
    if (random && random->below(2) == 0) continue;
    size_t length = std::min(kSector, change.bytes.size() - from);
    size_t at = static_cast<size_t>(change.at) + from;
    if (content.size() < at + length) content.resize(at + length);
    content.replace(at, length, change.bytes, from, length);
  }
}

}  // namespace

FaultVfs& FaultVfs::get() {
  static FaultVfs faults;
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs copy = *usual();
    copy.zName = faults.name.c_str();
    copy.szOsFile = static_cast<int>(sizeof(File)) + usual()->szOsFile;
    copy.xOpen = on_open;
    copy.xDelete = on_delete;
    return copy;
  }();
  static const bool registered = sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
  (void)registered;
  return faults;
}

void FaultVfs::cut_power_after(uint64_t operations, uint64_t seed) {
  std::lock_guard guard(mutex_);
  random_.emplace(seed);
  shadows_.clear();
  image_.clear();
  left_ = operations;
  watching_ = true;
  cut_ = false;
}

std::map<std::string, std::string> FaultVfs::image() {
  std::lock_guard guard(mutex_);
  watching_ = false;
  return std::move(image_);
}

void FaultVfs::opened(const std::string& path) {
  std::lock_guard guard(mutex_);
  if (!watching_ || shadows_.contains(path)) return;
  std::ifstream file(path, std::ios::binary);
  shadows_[path].content.assign(std::istreambuf_iterator<char>(file), {});
}

void FaultVfs::changed(const std::string& path, Change change) {
  std::lock_guard guard(mutex_);
  if (!watching_) return;
  shadows_[path].unsynced.push_back(std::move(change));
  count_down();
}

bool FaultVfs::synced(const std::string& path) {
  std::lock_guard guard(mutex_);
  if (!watching_) return false;
  count_down();  // the power may go just before the sync takes effect
  Shadow& shadow = shadows_[path];
  for (const Change& change : shadow.unsynced) apply(shadow.content, change, nullptr);
  shadow.unsynced.clear();
  return true;
}

void FaultVfs::removed(const std::string& path) {
  std::lock_guard guard(mutex_);
  shadows_.erase(path);
}

void FaultVfs::count_down() {
  if (cut_ || left_-- > 0) return;
  for (const auto& [path, shadow] : shadows_) {
    std::string content = shadow.content;
    bool whole = random_->below(3) == 0;  // sometimes everything got there, sometimes in pieces
    for (const Change& change : shadow.unsynced) apply(content, change, whole ? nullptr : &*random_);
    image_[path] = std::move(content);
  }
  cut_ = true;
}

}  // namespace orch::test
