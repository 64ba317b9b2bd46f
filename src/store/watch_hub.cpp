#include "store/watch_hub.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace orch::store {

using loop::Wakeup;

namespace {

constexpr size_t kMostAtOnce = 1000;  // events one take() returns

Error expired(Revision from, Revision compacted) {
  return Error::make(Code::expired, "too old resource version: " + std::to_string(from) + " (" +
                                        std::to_string(compacted) + ")");
}

Error closed() { return Error::make(Code::closed, "the store is closed"); }

}  // namespace

struct WatchHub::Group {
  std::string prefix;
  std::deque<uint64_t> sequences;  // of all matching events in the history
  uint64_t dropped = 0;            // how many were dropped in front: the number of sequences[0]
  size_t watchers = 0;
  std::map<uint64_t, Wakeup::Resume> waiting;
  uint64_t next_waiting = 0;

  uint64_t end() const { return dropped + sequences.size(); }
};

struct WatchHub::State {
  State(loop::Loop& l, HistoryLimits limits, Revision start)
      : loop(l), history(limits, start), revision(start) {}

  loop::Loop& loop;
  History history;
  Revision revision;
  bool is_closed = false;
  uint64_t expirations = 0;
  // The key is the group's own prefix.
  std::unordered_map<std::string_view, std::unique_ptr<Group>> groups;
  std::map<size_t, size_t> lengths;  // length of a prefix -> groups

  template <class F>
  void for_matching(std::string_view key, F visit) {
    for (const auto& [length, count] : lengths) {
      if (length > key.size()) break;
      auto found = groups.find(key.substr(0, length));
      if (found != groups.end()) visit(*found->second);
    }
  }

  void wake(Group& group) {
    auto waiting = std::exchange(group.waiting, {});
    for (auto& [id, resume] : waiting) loop.defer(std::move(resume));
  }

  void wake_all() {
    for (auto& [prefix, group] : groups) wake(*group);
  }

  void drop_oldest() {
    uint64_t sequence = history.first();
    for_matching(history.oldest().object->key, [&](Group& group) {
      ORCH_CHECK(!group.sequences.empty() && group.sequences.front() == sequence);
      group.sequences.pop_front();
      ++group.dropped;
    });
    history.drop_oldest();
  }

  Group& join(std::string prefix) {
    auto found = groups.find(prefix);
    if (found == groups.end()) {
      auto group = std::make_unique<Group>();
      group->prefix = std::move(prefix);
      for (uint64_t s = history.first(); s < history.end(); ++s) {
        if (history.at(s).object->key.starts_with(group->prefix)) group->sequences.push_back(s);
      }
      ++lengths[group->prefix.size()];
      std::string_view name = group->prefix;
      found = groups.emplace(name, std::move(group)).first;
    }
    ++found->second->watchers;
    return *found->second;
  }

  void leave(Group& group) {
    if (--group.watchers > 0) return;
    auto length = lengths.find(group.prefix.size());
    if (--length->second == 0) lengths.erase(length);
    groups.erase(groups.find(group.prefix));
  }
};

class WatchHub::Watcher final : public Watch {
 public:
  Watcher(std::shared_ptr<State> state, Group& group, Revision from)
      : state_(std::move(state)), group_(group), progress_(from), epoch_(state_->expirations) {
    auto place = std::ranges::upper_bound(
        group.sequences, from, {}, [&](uint64_t s) { return state_->history.at(s).revision; });
    next_ = group.dropped + static_cast<uint64_t>(place - group.sequences.begin());
  }
  ~Watcher() override { state_->leave(group_); }

  loop::Task<std::vector<Event>> next() override {
    while (!is_expired() && next_ == group_.end()) {
      if (state_->is_closed) co_await loop::fail(closed());
      co_await Arrival(*this);
    }
    if (is_expired()) co_await loop::fail(expired(progress_, state_->history.compacted()));
    co_return take();
  }

  std::vector<Event> take() override {
    std::vector<Event> events;
    if (is_expired()) return events;
    uint64_t to = std::min(group_.end(), next_ + kMostAtOnce);
    events.reserve(static_cast<size_t>(to - next_));
    for (; next_ < to; ++next_) {
      uint64_t sequence = group_.sequences[static_cast<size_t>(next_ - group_.dropped)];
      events.push_back(state_->history.at(sequence));
    }
    if (!events.empty()) progress_ = events.back().revision;
    return events;
  }

  Revision progress() const override {
    return !is_expired() && next_ == group_.end() ? std::max(progress_, state_->revision) : progress_;
  }

 private:
  class Arrival final : public Wakeup {
   public:
    explicit Arrival(Watcher& watcher) : group_(watcher.group_), id_(group_.next_waiting++) {}
    ~Arrival() { group_.waiting.erase(id_); }  // given up: a quiet group must not collect them

   private:
    void arm(Resume resume) override { group_.waiting.emplace(id_, std::move(resume)); }
    Group& group_;
    uint64_t id_;
  };

  bool is_expired() const { return next_ < group_.dropped || epoch_ != state_->expirations; }

  std::shared_ptr<State> state_;
  Group& group_;
  uint64_t next_ = 0;
  Revision progress_;
  uint64_t epoch_;
};

WatchHub::WatchHub(loop::Loop& loop, HistoryLimits limits, Revision start)
    : state_(std::make_shared<State>(loop, limits, start)) {}

WatchHub::~WatchHub() { close(); }

void WatchHub::publish(Event event) {
  State& state = *state_;
  uint64_t sequence = state.history.end();
  state.revision = event.revision;
  std::string_view key = event.object->key;
  state.for_matching(key, [&](Group& group) { group.sequences.push_back(sequence); });
  state.history.add(event);
  state.for_matching(key, [&](Group& group) { state.wake(group); });
  while (state.history.over_limit()) state.drop_oldest();
}

void WatchHub::compact(Revision revision) {
  while (!state_->history.empty() && state_->history.oldest().revision <= revision) {
    state_->drop_oldest();
  }
}

void WatchHub::set_revision(Revision revision) { state_->revision = revision; }

Result<std::unique_ptr<Watch>> WatchHub::watch(std::string prefix, Revision from) {
  State& state = *state_;
  if (state.is_closed) return closed();
  if (from == 0) from = state.revision;
  if (from < state.history.compacted()) return expired(from, state.history.compacted());
  if (from > state.revision) {
    return Error::make(Code::bad_request, "too large resource version: " + std::to_string(from) +
                                              ", current: " + std::to_string(state.revision));
  }
  return std::make_unique<Watcher>(state_, state.join(std::move(prefix)), from);
}

const History& WatchHub::history() const { return state_->history; }

void WatchHub::close() {
  state_->is_closed = true;
  state_->wake_all();
}

void WatchHub::expire_all() {
  ++state_->expirations;
  state_->wake_all();
}

}  // namespace orch::store
