#pragma once
// Store: the revisioned object store, with etcd's semantics: one growing revision over all keys,
// compare-and-swap on a key's revision, range, watch from a revision, compaction (410).
// Implementations: SqliteStore (sqlite_store.h) and, later, etcd.
//
// Keys are paths, "/registry/<group>/<resource>/<namespace>/<name>"; the store only knows that a
// prefix selects. The whole current state is in memory, shared and immutable, so reads are plain
// calls; fresh() is what a linearizable read awaits first (SQLite: nothing to do; etcd: the cache has
// caught up). A write is visible (to reads and watches) only once it is durable.
//
// Soft writes cost no flash write: node heartbeats, lease renewals, Events. They get a revision and
// are watched like any other; after a restart a softly updated object has its last durable state and
// a softly created one is gone. Revisions never repeat, restart or not (revision.h).
//
// On the loop's thread. Errors of a write: Code::already_exists, not_found, conflict (stale expected
// revision), too_large, io (disk full: nothing was changed, later writes are tried again).

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/value.h"
#include "loop/task.h"

namespace orch::store {

using Revision = int64_t;

// One version of one object.
class Stored {
 public:
  Stored(std::string k, Value v, Revision created_at, Revision version)
      : key(std::move(k)), value(std::move(v)), created(created_at), revision(version) {}
  const std::string key;
  const Value value;        // as the API shows it, metadata.resourceVersion included
  const Revision created;   // revision of the creation
  const Revision revision;  // revision of this version
  // The canonical JSON of `value`, made once and kept as long as somebody uses it. Loop's thread.
  std::shared_ptr<const std::string> json() const;
  bool has_json() const { return !json_.expired(); }

 private:
  mutable std::weak_ptr<const std::string> json_;
};
using StoredPtr = std::shared_ptr<const Stored>;

enum class Durability : uint8_t { durable, soft };

// Called with the revision a write gets, before it is stored: returns the value to store (the API
// stamps metadata.resourceVersion).
using Stamp = std::function<Value(const Value& value, Revision revision)>;

struct Event {
  enum class Type : uint8_t { created, updated, deleted };
  Type type;
  Revision revision;   // of this event
  StoredPtr object;    // for deleted: the last state, stamped with the revision of the deletion
  StoredPtr previous;  // null for created
};

// A watcher. Events come in revision order; none is lost between `from` and now. A watcher that
// does not take its events is ended (next() fails with Code::expired) rather than growing.
class Watch {
 public:
  virtual ~Watch() = default;  // unregisters
  // The events since the last call, at least one; waits. Errors: Code::expired (fell behind, or
  // history was compacted), Code::closed (the store closes).
  virtual loop::Task<std::vector<Event>> next() = 0;
  // Without waiting; may be empty.
  virtual std::vector<Event> take() = 0;
  // The revision up to which everything has been handed out (for bookmarks).
  virtual Revision progress() const = 0;
};

struct RangeResult {
  std::vector<StoredPtr> items;  // sorted by key
  size_t remaining = 0;          // items beyond the limit
  Revision revision = 0;         // the state's revision
};

class Store {
 public:
  virtual ~Store() = default;

  // --- reads: committed state, no waiting
  virtual loop::Task<void> fresh() = 0;
  virtual Revision revision() const = 0;
  virtual StoredPtr get(std::string_view key) const = 0;  // null: not there
  // Keys with the prefix, greater than `after`, at most `limit` (0: all). `at` != 0: the state at that
  // revision, as far back as history goes; Code::expired if compacted, Code::bad_request if in the future.
  virtual Result<RangeResult> range(std::string_view prefix, std::string_view after, size_t limit,
                                    Revision at) const = 0;
  virtual size_t count(std::string_view prefix) const = 0;
  // The object's JSON, kept for the next reader: lists and watches copy bytes. How much is kept over all
  // objects is bounded; what is not is made anew.
  virtual std::shared_ptr<const std::string> bytes(const Stored& object) = 0;

  // --- writes: return when durable (soft: at once)
  virtual loop::Task<StoredPtr> create(std::string key, Value value, Stamp stamp, Durability how) = 0;
  // `expected`: the revision the caller saw; the write fails with Code::conflict if another came in.
  // 0: whatever is there.
  virtual loop::Task<StoredPtr> update(std::string key, Value value, Revision expected, Stamp stamp,
                                       Durability how) = 0;
  // Returns the last state stamped with the deletion's revision.
  virtual loop::Task<StoredPtr> remove(std::string key, Revision expected, Stamp stamp) = 0;

  // Events with revision > from. 0: from now. Code::expired where history does not reach back,
  // Code::bad_request if in the future.
  virtual Result<std::unique_ptr<Watch>> watch(std::string prefix, Revision from) = 0;
  virtual Revision compacted() const = 0;  // watches and ranges reach back to here

  // Waits for pending writes, writes soft state that is worth keeping, closes.
  virtual loop::Task<void> close() = 0;
};

}  // namespace orch::store
