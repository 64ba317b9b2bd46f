#pragma once
// MemoryStore: the same core over a "disk" in memory, for tests and simulated clusters. The disk
// outlives the store, so a restart is: destroy the store, make a new one on the same disk. Destroying
// it without close() is a crash: what was not acknowledged is lost or kept, as the faults say.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/time.h"
#include "store/core_store.h"

namespace orch::store {

struct MemoryDisk {
  std::map<std::string, StoredPtr> objects;
  Revision ceiling = 1;
  uint64_t commits = 0;  // transactions kept; an idle cluster adds none
};

struct MemoryFaults {
  // How long a commit takes. Null: until a later turn of the loop.
  std::function<Duration()> delay;
  // Asked for each batch: an error leaves the disk as it was.
  std::function<std::optional<Error>(const Batch&)> fail;
  // Whether a batch reaches the disk at the start of its delay (a crash before the acknowledgement
  // keeps it) or at its end (a crash loses it). Null: at its end.
  std::function<bool(const Batch&)> early;
};

class MemoryStore final : public CoreStore {
 public:
  explicit MemoryStore(loop::Loop& loop, CoreOptions options = {},
                       std::shared_ptr<MemoryDisk> disk = nullptr, MemoryFaults faults = {});
  const MemoryDisk& disk() const { return *disk_; }

 private:
  struct Start;
  MemoryStore(loop::Loop& loop, CoreOptions options, Start start, MemoryFaults faults);
  std::shared_ptr<MemoryDisk> disk_;
};

}  // namespace orch::store
