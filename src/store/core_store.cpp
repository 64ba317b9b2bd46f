#include "store/core_store.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "store/sharing.h"

namespace orch::store {

using loop::Task;

namespace {

constexpr size_t kWarmBytes = 8u << 20;  // a few thousand pods

Error closed() { return Error::make(Code::closed, "the store is closed"); }

}  // namespace

// What a caller wants.
struct CoreStore::Change {
  Event::Type type;
  std::string key;
  Value value;
  Revision expected;
  Stamp stamp;
  Durability how;
};

// Where a writer waits for the outcome.
struct CoreStore::Ticket {
  std::string key;
  std::optional<Result<StoredPtr>> result;
  Resumes waiting;
};

// A write that has its revision and is not published.
struct CoreStore::Pending {
  enum class State : uint8_t { waiting, writing, ready, failed };
  Event event;
  State state;
  bool durable;
  std::shared_ptr<const std::string> json;
  std::shared_ptr<Ticket> ticket;
  std::optional<Error> error;
};

class CoreStore::Decided final : public loop::Wakeup {
 public:
  explicit Decided(std::shared_ptr<Ticket> ticket) : ticket_(std::move(ticket)) {
    fired_ = ticket_->result.has_value();
  }

 private:
  void arm(Resume resume) override { ticket_->waiting.push_back(std::move(resume)); }
  std::shared_ptr<Ticket> ticket_;
};

// Awaits a Log's `done`.
class CoreStore::Call final : public loop::Wakeup {
 public:
  using Start = std::function<void(Log::Done)>;
  explicit Call(Start start) : start_(std::move(start)) {}
  Result<void> await_resume() { return std::move(*result_); }

 private:
  void arm(Resume resume) override {
    start_([result = result_, resume = std::move(resume)](Result<void> outcome) {
      *result = std::move(outcome);
      resume();
    });
  }
  Start start_;
  std::shared_ptr<Result<void>> result_ = std::make_shared<Result<void>>();
};

CoreStore::CoreStore(loop::Loop& loop, CoreOptions options, std::unique_ptr<Log> log,
                     std::vector<StoredPtr> objects, Revision start, Revision ceiling)
    : loop_(loop),
      options_(std::move(options)),
      log_(std::move(log)),
      hub_(loop, options_.history, start),
      revision_(start),
      sequenced_(start),
      ceiling_(ceiling),
      batch_limit_(options_.batch_records),
      self_(std::make_shared<CoreStore*>(this)) {
  index_.assign(std::move(objects));
}

CoreStore::~CoreStore() = default;

size_t CoreStore::pending() const { return pending_.size(); }

// ---- reads

Task<void> CoreStore::fresh() { co_return; }

size_t CoreStore::count(std::string_view prefix) const {
  return index_.distance(index_.lower_bound(prefix), index_.prefix_end(prefix));
}

Result<RangeResult> CoreStore::range(std::string_view prefix, std::string_view after, size_t limit,
                                     Revision at) const {
  if (at != 0 && at != revision_) return range_at(prefix, after, limit, at);
  RangeResult result;
  result.revision = revision_;
  Index::Position from = index_.lower_bound(prefix);
  if (!after.empty()) from = std::max(from, index_.upper_bound(after));
  Index::Position to = index_.prefix_end(prefix);
  size_t total = index_.distance(from, to);
  size_t wanted = limit == 0 ? total : std::min(limit, total);
  result.items.reserve(wanted);
  for (; result.items.size() < wanted; from = index_.next(from)) result.items.push_back(index_.at(from));
  result.remaining = total - wanted;
  return result;
}

Result<RangeResult> CoreStore::range_at(std::string_view prefix, std::string_view after, size_t limit,
                                        Revision at) const {
  if (at < 0 || at > revision_) {
    return Error::make(Code::bad_request, "too large resource version: " + std::to_string(at) +
                                              ", current: " + std::to_string(revision_));
  }
  if (at < compacted()) {
    return Error::make(Code::expired,
                       "the provided continue parameter or resource version is too old: " +
                           std::to_string(at) + " (" + std::to_string(compacted()) + ")");
  }
  RangeResult result;
  result.revision = at;
  auto add = [&](const StoredPtr& object) {
    if (!object || object->key <= after) return;
    if (limit == 0 || result.items.size() < limit) {
      result.items.push_back(object);
    } else {
      ++result.remaining;
    }
  };
  // Merges what is there now with what has changed since, both in the order of keys.
  auto then = hub_.history().undo(prefix, at);
  auto changed = then.begin();
  Index::Position to = index_.prefix_end(prefix);
  for (auto from = index_.lower_bound(prefix); from < to; from = index_.next(from)) {
    const StoredPtr& object = index_.at(from);
    for (; changed != then.end() && changed->first < object->key; ++changed) add(changed->second);
    if (changed != then.end() && changed->first == object->key) {
      add((changed++)->second);
    } else {
      add(object);
    }
  }
  for (; changed != then.end(); ++changed) add(changed->second);
  return result;
}

Result<std::unique_ptr<Watch>> CoreStore::watch(std::string prefix, Revision from) {
  return hub_.watch(std::move(prefix), from);
}

// ---- writes

Task<StoredPtr> CoreStore::create(std::string key, Value value, Stamp stamp, Durability how) {
  return write({Event::Type::created, std::move(key), std::move(value), 0, std::move(stamp), how});
}

Task<StoredPtr> CoreStore::update(std::string key, Value value, Revision expected, Stamp stamp,
                                  Durability how) {
  return write(
      {Event::Type::updated, std::move(key), std::move(value), expected, std::move(stamp), how});
}

Task<StoredPtr> CoreStore::remove(std::string key, Revision expected, Stamp stamp) {
  return write({Event::Type::deleted, std::move(key), Value(), expected, std::move(stamp),
                Durability::durable});
}

Task<StoredPtr> CoreStore::write(Change change) {
  for (auto busy = undecided_.find(change.key); busy != undecided_.end();
       busy = undecided_.find(change.key)) {
    std::shared_ptr<Ticket> other = busy->second;
    co_await Decided(other);
  }
  std::shared_ptr<Ticket> ticket = co_await sequence(change);
  co_await Decided(ticket);
  StoredPtr object = co_await *ticket->result;
  co_return object;
}

// The version a change starts from (null: creates), or why it cannot be.
Result<StoredPtr> CoreStore::judge(const Change& change) const {
  StoredPtr current = index_.find(change.key);
  if (change.type == Event::Type::created) {
    if (current) return Error::make(Code::already_exists, change.key + " already exists");
    return StoredPtr();
  }
  if (!current) return Error::make(Code::not_found, change.key + " not found");
  if (change.expected != 0 && change.expected != current->revision) {
    return Error::make(Code::conflict, change.key + " is at revision " +
                                           std::to_string(current->revision) + ", not " +
                                           std::to_string(change.expected));
  }
  return current;
}

Result<std::shared_ptr<CoreStore::Ticket>> CoreStore::sequence(Change& change) {
  if (closing_) return closed();
  TRY(StoredPtr previous, judge(change));
  bool removes = change.type == Event::Type::deleted;
  Revision revision = sequenced_ + 1;
  Value value = change.stamp ? change.stamp(removes ? previous->value : change.value, revision)
                             : (removes ? previous->value : std::move(change.value));
  // A new object looks like its neighbour: the next pod of the ReplicaSet.
  StoredPtr model = previous ? previous : index_.neighbour(change.key);
  if (model) value = share_storage(model->value, value);
  auto object = std::make_shared<const Stored>(
      change.key, std::move(value), previous ? previous->created : revision, revision);
  std::shared_ptr<const std::string> json;
  if (log_->wants_json()) json = object->json();
  size_t size = json ? json->size() : object->value.heap_bytes();
  if (size > options_.max_object_bytes) {
    return Error::make(Code::too_large, change.key + " has " + std::to_string(size) +
                                            " bytes; at most " +
                                            std::to_string(options_.max_object_bytes) + " are stored");
  }
  sequenced_ = revision;
  bool durable = change.how == Durability::durable;
  auto soft = soft_.find(change.key);
  if (removes && soft != soft_.end() && !soft->second) durable = false;  // was never on disk

  auto ticket = std::make_shared<Ticket>();
  ticket->key = std::move(change.key);
  undecided_.emplace(ticket->key, ticket);
  pending_.push_back({.event = {change.type, revision, std::move(object), std::move(previous)},
                      .state = durable ? Pending::State::waiting : Pending::State::ready,
                      .durable = durable,
                      .json = std::move(json),
                      .ticket = ticket,
                      .error = {}});
  if (durable || wants_ceiling()) schedule_flush();
  publish_decided();
  return ticket;
}

// On a later turn, so that what this turn's callers write shares one transaction.
void CoreStore::schedule_flush() {
  if (flush_scheduled_ || in_flight_) return;
  flush_scheduled_ = true;
  loop_.defer([weak = std::weak_ptr(self_)] {
    if (auto self = weak.lock()) (*self)->flush();
  });
}

bool CoreStore::take_batch(Batch& batch) {
  size_t bytes = 0;
  for (Pending& pending : pending_) {
    if (pending.state != Pending::State::waiting) continue;
    if (batch.records.size() >= batch_limit_ || bytes > options_.batch_bytes) break;
    bool removes = pending.event.type == Event::Type::deleted;
    pending.state = Pending::State::writing;
    bytes += pending.json ? pending.json->size() : 0;
    batch.records.push_back({pending.event.object, removes ? nullptr : pending.json, removes});
  }
  if (wants_ceiling()) batch.ceiling = sequenced_ + options_.revision_block;
  return !batch.records.empty() || batch.ceiling;
}

void CoreStore::flush() {
  flush_scheduled_ = false;
  if (in_flight_ || (closing_ && pending_.empty())) return;  // close() has the log to itself
  Batch batch;
  if (!take_batch(batch)) return;
  in_flight_ = true;
  std::optional<Revision> ceiling = batch.ceiling;
  log_->commit(std::move(batch), [weak = std::weak_ptr(self_), ceiling](Result<void> result) {
    if (auto self = weak.lock()) (*self)->committed(std::move(result), ceiling);
  });
}

void CoreStore::committed(Result<void> result, std::optional<Revision> ceiling) {
  in_flight_ = false;
  bool more = false;
  if (result.ok() && ceiling) ceiling_ = *ceiling;
  for (Pending& pending : pending_) {
    if (pending.state == Pending::State::writing) {
      pending.state = result.ok() ? Pending::State::ready : Pending::State::failed;
    } else if (!result.ok() && ceiling && pending.event.revision > ceiling_ && !pending.durable) {
      pending.state = Pending::State::failed;  // its revision could come again after a restart
    }
    more = more || pending.state == Pending::State::waiting;
    if (pending.state == Pending::State::failed && !pending.error) pending.error = result.error();
  }
  batch_limit_ = result.ok() ? std::min(batch_limit_ * 2, options_.batch_records) : 1;
  publish_decided();
  if (more) flush();
}

void CoreStore::publish_decided() {
  while (!pending_.empty()) {
    Pending& front = pending_.front();
    bool decided = front.state == Pending::State::failed ||
                   (front.state == Pending::State::ready &&
                    (front.durable || front.event.revision <= ceiling_));
    if (!decided) return;
    Pending pending = std::move(front);
    pending_.pop_front();
    publish(pending);
  }
  if (!in_flight_) wake(settled_);
}

void CoreStore::publish(Pending& pending) {
  std::shared_ptr<Ticket> ticket = std::move(pending.ticket);
  undecided_.erase(ticket->key);
  if (pending.state == Pending::State::failed) {
    ticket->result.emplace(std::move(*pending.error));
    wake(ticket->waiting);
    return;
  }
  Event& event = pending.event;
  revision_ = event.revision;
  auto soft = soft_.find(ticket->key);
  if (event.type == Event::Type::deleted) {
    index_.erase(ticket->key);
    if (soft != soft_.end()) soft_.erase(soft);
  } else {
    index_.put(event.object);
    if (pending.durable && soft != soft_.end()) soft_.erase(soft);
    if (!pending.durable && soft == soft_.end()) {
      soft_.emplace(ticket->key, event.type == Event::Type::updated);
    }
  }
  ticket->result.emplace(event.object);
  if (pending.json) keep_warm(std::move(pending.json));
  hub_.publish(std::move(event));
  wake(ticket->waiting);
}

std::shared_ptr<const std::string> CoreStore::bytes(const Stored& object) {
  const bool is_kept = object.has_json();
  auto json = object.json();
  if (!is_kept) keep_warm(json);
  return json;
}

void CoreStore::keep_warm(std::shared_ptr<const std::string> json) {
  warm_bytes_ += json->size();
  warm_.push_back(std::move(json));
  while (warm_bytes_ > kWarmBytes && warm_.size() > 1) {
    warm_bytes_ -= warm_.front()->size();
    warm_.pop_front();
  }
}

void CoreStore::wake(Resumes& resumes) {
  Resumes waiting;
  waiting.swap(resumes);
  for (auto& resume : waiting) loop_.defer(std::move(resume));
}

// ---- closing

Batch CoreStore::soft_state_to_keep() const {
  Batch batch;
  if (!options_.keep_soft) return batch;
  for (const auto& [key, on_disk] : soft_) {
    StoredPtr object = index_.find(key);
    if (!object || !options_.keep_soft(*object)) continue;
    batch.records.push_back({object, log_->wants_json() ? object->json() : nullptr, false});
  }
  return batch;
}

Task<void> CoreStore::close() {
  if (closing_) co_return;
  closing_ = true;
  class Settled final : public loop::Wakeup {
   public:
    explicit Settled(CoreStore& store) : store_(store) {}

   private:
    void arm(Resume resume) override { store_.settled_.push_back(std::move(resume)); }
    CoreStore& store_;
  };
  while (!pending_.empty() || in_flight_) co_await Settled(*this);
  Batch kept = soft_state_to_keep();
  Result<void> written;
  if (!kept.records.empty()) {
    auto start = [this, &kept](Log::Done done) { log_->commit(std::move(kept), std::move(done)); };
    Call call(start);
    written = co_await call;
  }
  auto start = [this](Log::Done done) { log_->close(sequenced_, std::move(done)); };
  Call call(start);
  Result<void> ended = co_await call;
  hub_.close();
  co_await written;
  co_await ended;
}

}  // namespace orch::store
