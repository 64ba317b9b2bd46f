#pragma once
// A SQLite file system layer over the usual one that counts writes and fails them on demand.

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"

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

  // A power cut: after `operations` more writes and syncs, image() is what a disk could hold that has
  // everything synced, and of the rest any 512-byte sectors. Syncs do not reach the real disk meanwhile.
  void cut_power_after(uint64_t operations, uint64_t seed);
  bool has_cut() const { return cut_; }
  // By the file's path. Ends the watching.
  std::map<std::string, std::string> image();

  // For the layer itself.
  struct Change {
    int64_t at;
    std::string bytes;
    bool truncates = false;
  };
  void opened(const std::string& path);
  void changed(const std::string& path, Change change);
  bool synced(const std::string& path);  // true: nothing more to do
  void removed(const std::string& path);

  void reset() {
    full = broken = sync_broken = false;
    bytes_written = syncs = 0;
  }

 private:
  struct Shadow {
    std::string content;  // as synced
    std::vector<Change> unsynced;
  };
  void count_down();
  std::mutex mutex_;
  std::optional<SeededRandom> random_;
  std::map<std::string, Shadow> shadows_;
  std::map<std::string, std::string> image_;
  uint64_t left_ = 0;
  bool watching_ = false;
  std::atomic<bool> cut_{false};
};

}  // namespace orch::test
