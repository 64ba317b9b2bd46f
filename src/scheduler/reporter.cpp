#include "scheduler/reporter.h"

#include "client/informer.h"
#include "plan/core/object.h"
#include "plan/core/pod.h"

namespace orch::scheduler {

using plan::sched::PodInfo;

namespace {

constexpr int writers = 8;
constexpr size_t longest_message = 1024;  // of an Event, as events.k8s.io/v1 has it

}  // namespace

Reporter::Reporter(loop::Loop& loop, client::ApiPort& api, Logger logger, std::string name)
    : loop_(loop),
      api_(api),
      logger_(logger),
      name_(std::move(name)),
      events_(loop, api, logger),
      changed_(loop),
      scope_(loop) {
  for (int i = 0; i < writers; ++i) scope_.spawn(write_all());
}

void Reporter::assigned(const PodInfo& pod, const std::string& node) {
  drop(pod.uid);
  plan::Note note;
  note.reason = "Scheduled";
  note.message = "Successfully assigned " + pod.full_name() + " to " + node;
  events_.record(name_, client::EventRecorder::reference(pod.object), note);
}

void Reporter::not_scheduled(const PodInfo& pod, const std::string& reason, const std::string& message) {
  want(pod, reason, message);
  if (reason == "SchedulingGated") return;
  plan::Note note;
  note.type = plan::NoteType::warning;
  note.reason = "FailedScheduling";
  note.message = message.size() <= longest_message ? message : message.substr(0, longest_message - 4) + " ...";
  events_.record(name_, client::EventRecorder::reference(pod.object), note);
}

void Reporter::want(const PodInfo& pod, const std::string& reason, const std::string& message) {
  const Value& known = plan::pod_condition(pod.object, "PodScheduled");
  const bool is_said = known["status"].as_string() == "False" && known["reason"].as_string() == reason &&
                       known["message"].as_string() == message;
  if (is_said) return drop(pod.uid);
  const bool is_new = wanted_.insert_or_assign(pod.uid, Condition{pod.object, reason, message}).second;
  if (!is_new) return;
  order_.push_back(pod.uid);
  changed_.set();
}

loop::Task<void> Reporter::write_all() {
  for (;;) {
    while (order_.empty()) {
      changed_.reset();
      co_await changed_.wait();
    }
    auto wanted = wanted_.find(order_.front());
    order_.pop_front();
    if (wanted == wanted_.end()) continue;
    Condition condition = std::move(wanted->second);
    wanted_.erase(wanted);
    auto result = co_await write(std::move(condition)).result();
    // The next attempt says it again.
    if (!result.ok()) logger_.debug("a pod's condition was not written", {{"error", result.error().message()}});
  }
}

loop::Task<void> Reporter::write(Condition condition) {
  const Value& known = plan::pod_condition(condition.pod, "PodScheduled");
  Value since = known["status"].as_string() == "False" && known["lastTransitionTime"].is_string()
                    ? known["lastTransitionTime"]
                    : Value(format_time(loop_.wall()));
  Value item = Value::object({{"type", "PodScheduled"},
                              {"status", "False"},
                              {"reason", condition.reason},
                              {"message", condition.message},
                              {"lastProbeTime", Value()},
                              {"lastTransitionTime", since}});
  Value patch = Value::object({{"metadata", Value::object({{"uid", plan::uid_of(condition.pod)}})},
                               {"status", Value::object({{"conditions", Value::list({item})}})}});
  client::Target target = client::target_of(plan::types::pods);
  target.ns = std::string(plan::namespace_of(condition.pod));
  target.name = std::string(plan::name_of(condition.pod));
  target.subresource = "status";
  client::WriteOptions options;
  options.field_manager = name_;
  co_await api_.patch(target, client::PatchType::strategic, patch, options);
}

}  // namespace orch::scheduler
