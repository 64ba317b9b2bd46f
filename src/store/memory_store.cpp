#include "store/memory_store.h"

#include <algorithm>
#include <utility>

namespace orch::store {

namespace {

class MemoryLog final : public Log {
 public:
  MemoryLog(loop::Loop& loop, std::shared_ptr<MemoryDisk> disk, MemoryFaults faults)
      : loop_(loop), disk_(std::move(disk)), faults_(std::move(faults)) {}
  ~MemoryLog() override { loop_.cancel_timer(timer_); }

  bool wants_json() const override { return false; }

  void commit(Batch batch, Done done) override {
    std::optional<Error> error = faults_.fail ? faults_.fail(batch) : std::nullopt;
    bool early = !error && faults_.early && faults_.early(batch);
    if (early) apply(batch);
    auto end = [this, alive = std::weak_ptr(alive_), batch = std::move(batch), done = std::move(done),
                error = std::move(error), early] {
      if (alive.expired()) return;
      if (error) return done(*error);
      if (!early) apply(batch);
      done({});
    };
    if (faults_.delay) {
      timer_ = loop_.start_timer(loop_.now() + faults_.delay(), std::move(end));
    } else {
      loop_.defer(std::move(end));
    }
  }

  void close(Revision last, Done done) override {
    disk_->ceiling = last;
    loop_.defer([done = std::move(done)] { done({}); });
  }

 private:
  void apply(const Batch& batch) {
    for (const Record& record : batch.records) {
      if (record.removed) {
        disk_->objects.erase(record.object->key);
      } else {
        disk_->objects[record.object->key] = record.object;
      }
    }
    if (batch.ceiling) disk_->ceiling = *batch.ceiling;
    ++disk_->commits;
  }

  loop::Loop& loop_;
  std::shared_ptr<MemoryDisk> disk_;
  MemoryFaults faults_;
  loop::Loop::TimerId timer_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>();
};

}  // namespace

// What a restart finds. Opening promises the first block of revisions, as it does on a real disk.
struct MemoryStore::Start {
  Start(std::shared_ptr<MemoryDisk> found, Revision block)
      : disk(found ? std::move(found) : std::make_shared<MemoryDisk>()) {
    first = std::max<Revision>(disk->ceiling, 1);
    for (const auto& [key, object] : disk->objects) {
      objects.push_back(object);
      first = std::max(first, object->revision);
    }
    disk->ceiling = first + block;
  }
  std::shared_ptr<MemoryDisk> disk;
  std::vector<StoredPtr> objects;
  Revision first;
};

MemoryStore::MemoryStore(loop::Loop& loop, CoreOptions options, std::shared_ptr<MemoryDisk> disk,
                         MemoryFaults faults)
    : MemoryStore(loop, options, Start(std::move(disk), options.revision_block), std::move(faults)) {}

MemoryStore::MemoryStore(loop::Loop& loop, CoreOptions options, Start start, MemoryFaults faults)
    : CoreStore(loop, std::move(options), nullptr, std::move(start.objects), start.first,
                start.disk->ceiling),
      disk_(std::move(start.disk)) {
  set_log(std::make_unique<MemoryLog>(loop, disk_, std::move(faults)));
}

}  // namespace orch::store
