#pragma once
// FakeApi: an ApiPort over a FakeCluster. Every call takes a turn of the loop; watches bring what
// changed, from a history that a test can cut off (410) and over streams that it can break.

#include <deque>
#include <memory>
#include <set>

#include "client/api_port.h"
#include "loop/loop.h"
#include "support/fake_cluster.h"

namespace orch::test {

class FakeApi final : public client::ApiPort {
 public:
  FakeApi(loop::Loop& loop, FakeCluster& cluster) : loop_(loop), cluster_(cluster) {
    cluster_.on_change = [this](const plan::Type& type, Change change, const Value& object) {
      publish(type, change, object);
    };
  }
  ~FakeApi() override { cluster_.on_change = nullptr; }

  size_t lists = 0, watches = 0;
  bool hold_events = false;  // watches stay silent until release_events()
  void release_events() {
    hold_events = false;
    for (Stream* stream : streams_) stream->wake();
  }
  void break_watches() {
    for (Stream* stream : streams_) stream->end(Error::make(Code::closed, "the watch ended"));
  }
  void forget_history() { forgotten_ = cluster_.revision(); }

  loop::Task<Value> get(client::Target target) override {
    co_await loop::yield_turn(loop_);
    sync_clock();
    Value object = cluster_.get(cluster_.type_of(ref(target)), target.ns, target.name);
    if (object.is_null()) co_await loop::fail(Error::make(Code::not_found, target.name + " not found"));
    co_return object;
  }
  loop::Task<client::ListResult> list(client::Target target, client::ListOptions options) override {
    co_await loop::yield_turn(loop_);
    ++lists;
    client::ListResult result;
    result.items = cluster_.list(cluster_.type_of(ref(target)), target.ns);
    if (options.limit > 0 && result.items.size() > static_cast<size_t>(options.limit)) {
      // One page more is enough to be tested.
      if (options.continue_token.empty()) {
        result.items.resize(static_cast<size_t>(options.limit));
        result.continue_token = "rest";
      } else {
        result.items.erase(result.items.begin(), result.items.begin() + options.limit);
      }
    }
    result.resource_version = std::to_string(cluster_.revision());
    co_return std::move(result);
  }
  loop::Task<std::unique_ptr<client::WatchStream>> watch(client::Target target, client::WatchOptions options) override {
    co_await loop::yield_turn(loop_);
    ++watches;
    const int64_t since = std::stoll(options.resource_version.empty() ? "0" : options.resource_version);
    if (since < forgotten_) co_await loop::fail(Error::make(Code::expired, "too old resource version"));
    std::unique_ptr<client::WatchStream> stream = std::make_unique<Stream>(*this, cluster_.type_of(ref(target)).id(), since);
    co_return std::move(stream);
  }
  loop::Task<Value> create(client::Target target, Value object, client::WriteOptions) override {
    co_await loop::yield_turn(loop_);
    sync_clock();
    auto result = cluster_.create(ref(target), object);
    co_return co_await std::move(result);
  }
  loop::Task<Value> update(client::Target target, Value object, client::WriteOptions) override {
    co_await loop::yield_turn(loop_);
    sync_clock();
    auto result = cluster_.update(ref(target), object);
    co_return co_await std::move(result);
  }
  loop::Task<Value> patch(client::Target target, client::PatchType, Value patch, client::WriteOptions) override {
    co_await loop::yield_turn(loop_);
    sync_clock();
    auto result = cluster_.merge_patch(ref(target), patch);
    co_return co_await std::move(result);
  }
  loop::Task<Value> remove(client::Target target, client::RemoveOptions options) override {
    co_await loop::yield_turn(loop_);
    sync_clock();
    FakeCluster::Removal removal{options.uid, options.resource_version, options.propagation, options.grace_seconds};
    auto result = cluster_.remove(ref(target), removal);
    co_return co_await std::move(result);
  }
  loop::Task<Value> remove_collection(client::Target target, client::ListOptions, client::RemoveOptions) override {
    co_await loop::yield_turn(loop_);
    sync_clock();
    auto result = cluster_.remove_collection(ref(target));
    co_return co_await std::move(result);
  }

 private:
  struct Entry {
    int64_t revision;
    std::string type_id;
    client::WatchEvent event;
  };

  class Stream final : public client::WatchStream {
   public:
    Stream(FakeApi& api, std::string type_id, int64_t since)
        : api_(api), type_id_(std::move(type_id)), at_(since), changed_(api.loop_) {
      api_.streams_.insert(this);
    }
    ~Stream() override { api_.streams_.erase(this); }
    loop::Task<std::vector<client::WatchEvent>> next() override {
      for (;;) {
        std::vector<client::WatchEvent> events;
        if (!api_.hold_events) events = api_.since(type_id_, at_);
        if (!events.empty()) co_return std::move(events);
        if (end_) co_await loop::fail(*end_);
        changed_.reset();
        co_await changed_.wait();
      }
    }
    void wake() { changed_.set(); }
    void end(Error error) {
      end_ = std::move(error);
      changed_.set();
    }

   private:
    FakeApi& api_;
    std::string type_id_;
    int64_t at_;
    loop::Event changed_;
    std::optional<Error> end_;
  };

  static plan::Ref ref(const client::Target& target) {
    plan::Ref ref;
    ref.group = target.group;
    ref.version = target.version;
    ref.resource = target.resource;
    ref.ns = target.ns;
    ref.name = target.name;
    ref.subresource = target.subresource;
    return ref;
  }
  void sync_clock() { cluster_.now = loop_.wall(); }
  void publish(const plan::Type& type, Change change, const Value& object) {
    const auto event = change == Change::added      ? client::EventType::added
                       : change == Change::modified ? client::EventType::modified
                                                    : client::EventType::deleted;
    history_.push_back(Entry{cluster_.revision(), type.id(), {event, object}});
    for (Stream* stream : streams_) stream->wake();
  }
  std::vector<client::WatchEvent> since(const std::string& type_id, int64_t& at) const {
    std::vector<client::WatchEvent> events;
    for (const Entry& entry : history_)
      if (entry.revision > at && entry.type_id == type_id) events.push_back(entry.event);
    if (!events.empty()) at = history_.back().revision;
    return events;
  }

  loop::Loop& loop_;
  FakeCluster& cluster_;
  std::deque<Entry> history_;
  std::set<Stream*> streams_;
  int64_t forgotten_ = 0;
};

}  // namespace orch::test
