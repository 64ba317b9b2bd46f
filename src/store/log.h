#pragma once
// Log: where durable writes go. The core (core_store.h) hands over one batch at a time; a batch is
// kept whole or not at all.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/store.h"

namespace orch::store {

struct Record {
  StoredPtr object;                         // for a removal: its last state
  std::shared_ptr<const std::string> json;  // of object->value; null for a removal
  bool removed = false;
};

struct Batch {
  std::vector<Record> records;      // in revision order; a key may come more than once
  std::optional<Revision> ceiling;  // no revision above it is given out before a later batch is kept
};

class Log {
 public:
  using Done = std::function<void(Result<void>)>;  // called on the loop's thread, on a later turn
  virtual ~Log() = default;
  // Whether records need their JSON.
  virtual bool wants_json() const = 0;
  // One at a time: not before the last one's `done`.
  virtual void commit(Batch batch, Done done) = 0;
  // After the last commit's `done`. `last`: the newest revision given out.
  virtual void close(Revision last, Done done) = 0;
};

}  // namespace orch::store
