#include "client/event_recorder.h"

#include <cstdio>

#include "client/informer.h"
#include "plan/core/object.h"

namespace orch::client {

namespace {

constexpr size_t most_queued = 1000, most_known = 4096;
constexpr size_t most_different = 10;
constexpr Duration similar_window = 10min;
constexpr double burst = 25, tokens_per_second = 1.0 / 300;

std::string subject_of(std::string_view source, const Value& about) {
  std::string key(source);
  for (std::string_view field : {"kind", "namespace", "name", "uid"}) {
    key += '\n';
    key += about[field].as_string();
  }
  return key;
}

}  // namespace

EventRecorder::EventRecorder(loop::Loop& loop, ApiPort& api, Logger logger)
    : loop_(loop), api_(api), logger_(std::move(logger)), changed_(loop), idle_(loop), scope_(loop) {
  idle_.set();
  scope_.spawn(run());
}

Value EventRecorder::reference(const Value& object) {
  ObjectBuilder reference;
  reference.set_if("apiVersion", object["apiVersion"]);
  reference.set_if("kind", object["kind"]);
  for (std::string_view field : {"name", "namespace", "uid", "resourceVersion"})
    reference.set_if(field, plan::metadata(object)[field]);
  return std::move(reference).build();
}

void EventRecorder::record(std::string_view source, const Value& about, const plan::Note& note) {
  if (queue_.size() >= most_queued) return;
  queue_.push_back(Record{std::string(source), note.about.value_or(about), note, loop_.wall()});
  idle_.reset();
  changed_.set();
}

loop::Task<void> EventRecorder::flush() { co_await idle_.wait(); }

loop::Task<void> EventRecorder::run() {
  for (;;) {
    while (queue_.empty()) {
      idle_.set();
      changed_.reset();
      co_await changed_.wait();
    }
    Record record = std::move(queue_.front());
    queue_.pop_front();
    if (!spend(record)) continue;
    auto result = co_await write(std::move(record)).result();
    if (!result.ok()) logger_.debug("an event was not recorded", {{"error", result.error().message()}});
  }
}

bool EventRecorder::spend(const Record& record) {
  Budget& budget = budgets_.try_emplace(subject_of(record.source, record.about), Budget{burst, loop_.now()}).first->second;
  const double seconds = static_cast<double>((loop_.now() - budget.last).count()) / 1e9;
  budget.tokens = std::min(burst, budget.tokens + seconds * tokens_per_second);
  budget.last = loop_.now();
  if (budget.tokens < 1) return false;
  budget.tokens -= 1;
  return true;
}

// The message to show: from the eleventh different one on, all share one Event.
std::string EventRecorder::combined(const Record& record) {
  std::string key = subject_of(record.source, record.about) + "\n" + record.note.reason;
  Similar& similar = similar_[key];
  if (similar.messages.empty() || similar.since + similar_window < loop_.now()) similar = Similar{{}, loop_.now()};
  if (similar.messages.size() <= most_different) similar.messages.insert(record.note.message);
  if (similar.messages.size() <= most_different) return record.note.message;
  return "(combined from similar events): " + record.note.message;
}

void EventRecorder::prune() {
  if (known_.size() > most_known) known_.clear();
  if (similar_.size() > most_known) similar_.clear();
  if (budgets_.size() > most_known) budgets_.clear();
}

loop::Task<void> EventRecorder::write(Record record) {
  prune();
  const std::string message = combined(record);
  const bool is_combined = message != record.note.message;
  const std::string_view type = record.note.type == plan::NoteType::normal ? "Normal" : "Warning";
  const std::string key = subject_of(record.source, record.about) + "\n" + std::string(type) + "\n" +
                          record.note.reason + "\n" + (is_combined ? "(combined)" : message);
  Target target = target_of(plan::types::events);
  WriteOptions options;
  auto known = known_.find(key);
  if (known != known_.end()) {
    target.ns = known->second.ns;
    target.name = known->second.name;
    Value patch = Value::object({{"count", known->second.count + 1},
                                 {"lastTimestamp", format_time(record.at)},
                                 {"message", message}});
    auto patched = co_await api_.patch(target, PatchType::merge, patch, options).result();
    if (patched.ok()) {
      known = known_.find(key);
      if (known != known_.end()) ++known->second.count;
      co_return;
    }
    known_.erase(key);  // expired, or deleted by somebody: a new one
  }
  std::string ns(record.about["namespace"].as_string("default"));
  char suffix[24];
  std::snprintf(suffix, sizeof suffix, ".%llx", static_cast<unsigned long long>(record.at.ns + static_cast<int64_t>(known_.size())));
  std::string name = std::string(record.about["name"].as_string()) + suffix;
  Value event = Value::object({{"apiVersion", "v1"},
                               {"kind", "Event"},
                               {"metadata", Value::object({{"name", name}, {"namespace", ns}})},
                               {"involvedObject", record.about},
                               {"reason", record.note.reason},
                               {"message", message},
                               {"source", Value::object({{"component", record.source}})},
                               {"firstTimestamp", format_time(record.at)},
                               {"lastTimestamp", format_time(record.at)},
                               {"count", 1},
                               {"type", type},
                               {"reportingComponent", record.source},
                               {"reportingInstance", ""}});
  target.ns = ns;
  target.name.clear();
  co_await api_.create(target, event, options);
  known_[key] = Known{ns, name, 1, loop_.now()};
}

}  // namespace orch::client
