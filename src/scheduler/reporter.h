#pragma once
// Reporter: tells the user what became of a pod: the condition PodScheduled in its status, and Events.
// Never holds the scheduler up: status patches wait in a queue, the last one for a pod counts.

#include <deque>
#include <string>
#include <unordered_map>

#include "base/log.h"
#include "client/api_port.h"
#include "client/event_recorder.h"
#include "loop/loop.h"
#include "loop/scope.h"
#include "plan/sched/pod_info.h"

namespace orch::scheduler {

class Reporter {
 public:
  Reporter(loop::Loop& loop, client::ApiPort& api, Logger logger, std::string name);

  void assigned(const plan::sched::PodInfo& pod, const std::string& node);
  // `reason`: Unschedulable, SchedulerError or SchedulingGated; only the first two are Events, too.
  void not_scheduled(const plan::sched::PodInfo& pod, const std::string& reason, const std::string& message);
  // The pod is gone or has a node: what has not been written need not be.
  void drop(const std::string& uid) { wanted_.erase(uid); }

 private:
  struct Condition {
    Value pod;
    std::string reason, message;
  };
  void want(const plan::sched::PodInfo& pod, const std::string& reason, const std::string& message);
  loop::Task<void> write_all();
  loop::Task<void> write(Condition condition);

  loop::Loop& loop_;
  client::ApiPort& api_;
  Logger logger_;
  std::string name_;
  client::EventRecorder events_;
  std::unordered_map<std::string, Condition> wanted_;  // by uid
  std::deque<std::string> order_;
  loop::Event changed_;
  loop::Scope scope_;  // last: its tasks use the others
};

}  // namespace orch::scheduler
