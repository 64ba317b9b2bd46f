#pragma once
// A SQLite file system layer over the usual one that counts writes and fails them on demand.

#include <atomic>
#include <cstdint>
#include <string>

namespace orch::test {

struct FaultVfs {
  // Registers the layer under the name "orch-fault"; counts and faults are the process's.
  static FaultVfs& get();
  const std::string name = "orch-fault";

  std::atomic<bool> full{false};           // writes that make a file grow fail with SQLITE_FULL
  std::atomic<bool> broken{false};         // every write fails with SQLITE_IOERR_WRITE
  std::atomic<bool> sync_broken{false};    // every sync fails with SQLITE_IOERR_FSYNC
  std::atomic<uint64_t> bytes_written{0};
  std::atomic<uint64_t> syncs{0};

  void reset() {
    full = broken = sync_broken = false;
    bytes_written = syncs = 0;
  }
};

}  // namespace orch::test
