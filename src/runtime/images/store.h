#pragma once
// Store: images on disk, below one directory (README.md has the layout). Blocking, and safe to call from
// several threads; one process at a time, which it sees to with a lock.
//
// A layer is unpacked below tmp/ and renamed into place when every byte of it is on disk; a record of an image
// is written after its layers. So whatever a power cut leaves is either whole or below tmp/, and open() clears
// that away. After an unclean end and another boot, open() looks at every file of every layer besides: a disk
// may have lied.

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "base/time.h"
#include "data/value.h"
#include "runtime/images/fd.h"
#include "runtime/images/unpack.h"

namespace orch::runtime::images {

// An unpacked layer in place.
struct Layer {
  std::string key;       // its directory's name
  std::string diff_id;
  std::string chain_id;  // "" unless the layer depends on those below (see Store::commit)
  std::string tree;      // digest of its files' names and metadata
  int64_t bytes = 0;     // on disk
  int64_t entries = 0;
};

// An image. The documents are kept as they came: their digests are the image's names.
struct Record {
  std::string id;                     // digest of `config`
  std::string config;
  std::string manifest;               // "" of an image that came without one
  std::string manifest_type;
  std::vector<std::string> tags;      // "docker.io/library/busybox:latest", sorted
  std::vector<std::string> digests;   // "docker.io/library/busybox@sha256:...", sorted
  std::vector<std::string> layers;    // keys, bottom first
  bool pinned = false;
  Instant stored_at;                  // last put()
  Instant last_used;
};

struct StoreOptions {
  std::string directory;   // <data-dir>/agent/images
  std::string boot_id;     // of this boot of the machine
  bool verify = false;     // look at every file, however the last process ended
  UnpackLimits limits;
};

// A layer being unpacked; destroyed without commit(): its files go.
class StagedLayer {
 public:
  explicit StagedLayer(std::string directory) : directory_(std::move(directory)) {}
  StagedLayer(StagedLayer&& other) noexcept;
  StagedLayer& operator=(StagedLayer&& other) noexcept;
  ~StagedLayer();
  std::string files() const { return directory_ + "/fs"; }
  const std::string& directory() const { return directory_; }
  UnpackedLayer unpacked;

 private:
  friend class Store;
  std::string directory_;  // "" once moved into place
};

class Store {
 public:
  // Errors: Code::conflict (another process has it), Code::io.
  static Result<std::unique_ptr<Store>> open(StoreOptions options, Logger log);
  ~Store();  // a clean end
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  const std::string& directory() const { return options_.directory; }
  // For what is made on the way, on the same file system. Emptied by open().
  std::string temporary(std::string_view name);

  // --- Layers
  // Unpacks into a place of its own.
  Result<StagedLayer> unpack(ByteSource& source, const ExpectedLayer& expected, const std::atomic<bool>* cancelled);
  // The layer with that content, on top of that stack of layers.
  std::optional<Layer> find_layer(const std::string& diff_id, const std::string& chain_id) const;
  // Moves it into place. `below`: keys of the layers under it, bottom first; needed where
  // staged.unpacked.implied says so: those directories get owner and mode from below, and the layer is good for
  // this stack only. If the layer is there already, that one is used.
  Result<Layer> commit(StagedLayer staged, const std::string& chain_id, const std::vector<std::string>& below);
  std::string layer_path(const std::string& key) const;

  // Layers of an image in the making, kept from removal until the Hold goes.
  class Hold {
   public:
    explicit Hold(Store& store) : store_(store) {}
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    void add(const std::string& key);

   private:
    Store& store_;
    std::vector<std::string> keys_;
  };

  // --- Images
  std::vector<Record> records() const;
  std::optional<Record> find(const std::string& id) const;
  // Stores the record; tags and digests that other images had move to it (their records lose them). Its own earlier
  // tags and digests stay. Fails with Code::not_found if a layer is missing.
  Result<void> put(Record record);
  // The record with these tags and digests and no others.
  Result<void> set_names(const std::string& id, std::vector<std::string> tags, std::vector<std::string> digests);
  Result<void> set_last_used(const std::string& id, Instant time);
  // Removes the record and the layers nobody else needs; how many bytes that freed.
  Result<int64_t> erase(const std::string& id);
  // Layers of no image that nobody holds: what interrupted pulls left.
  int64_t remove_orphans();

  int64_t image_bytes(const Record& record) const;
  int64_t total_bytes() const;

  // Ids of images that containers use; kept for processes that come later.
  void set_in_use(std::vector<std::string> ids);
  std::vector<std::string> in_use() const;
  bool in_use_known() const;

  // Remembers which files were imported, so that unchanged ones are not read again: path -> what identified it.
  std::string imported_state(const std::string& path) const;
  void set_imported_state(const std::string& path, const std::string& state, const std::vector<std::string>& ids);

 private:
  Store(StoreOptions options, Logger log) : options_(std::move(options)), log_(std::move(log)) {}
  Result<void> take_lock();
  Result<void> begin_session(bool& unclean);
  Result<void> load(bool verify);
  void load_layer(const std::string& key, bool verify);
  void load_record(const std::string& name);
  void drop_record(const std::string& name, const std::string& why);
  Result<void> settle_names();
  void load_soft_state();
  void discard(const std::string& path);  // renamed away at once, removed then
  Result<void> write_record(const Record& record);
  Result<void> adopt_implied(const StagedLayer& staged, const std::vector<std::string>& below);
  Result<void> take_names(const Record& record);
  std::set<std::string> needed_layers() const;
  std::vector<Layer> take_unneeded(const std::set<std::string>* candidates);
  std::string record_path(const std::string& id) const;
  std::optional<Layer> find_locked(const std::string& diff_id, const std::string& chain_id) const;

  StoreOptions options_;
  Logger log_;
  Fd lock_;
  mutable std::mutex mutex_;  // for everything below
  std::map<std::string, Layer> layers_;
  std::map<std::string, Record> records_;
  std::map<std::string, int> holds_;
  std::vector<std::string> in_use_;
  bool in_use_known_ = false;
  Value imported_;
  uint64_t next_temporary_ = 0;
};

// /proc/sys/kernel/random/boot_id
std::string current_boot_id();

}  // namespace orch::runtime::images
