#include "fault_vfs.h"

#include <sqlite3.h>

#include <cstring>

namespace orch::test {

namespace {

struct File {
  sqlite3_file base;
  sqlite3_file* real;  // lies behind this struct
};

sqlite3_file* real(sqlite3_file* file) { return reinterpret_cast<File*>(file)->real; }
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
  return real(f)->pMethods->xWrite(real(f), from, n, at);
}
int on_truncate(sqlite3_file* f, sqlite3_int64 size) { return real(f)->pMethods->xTruncate(real(f), size); }
int on_sync(sqlite3_file* f, int flags) {
  FaultVfs& faults = FaultVfs::get();
  if (faults.sync_broken) return SQLITE_IOERR_FSYNC;
  ++faults.syncs;
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
  if (code == SQLITE_OK) mine->base.pMethods = &kMethods;
  return code;
}

}  // namespace

FaultVfs& FaultVfs::get() {
  static FaultVfs faults;
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs copy = *usual();
    copy.zName = faults.name.c_str();
    copy.szOsFile = static_cast<int>(sizeof(File)) + usual()->szOsFile;
    copy.xOpen = on_open;
    return copy;
  }();
  static const bool registered = sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
  (void)registered;
  return faults;
}

}  // namespace orch::test
