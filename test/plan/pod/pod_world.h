#pragma once
// PodWorld: carries a pod's plans out against a runtime made of plain records, on a clock of its own, and
// writes down what happens, one line each:
//
//   0s   start main #0
//   0s   ! Normal Started main: Started container main
//   0s   = Running ready=1 main=running

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plan/pod/outcomes.h"
#include "plan/pod/reconcile.h"

namespace orch::test {

class PodWorld {
 public:
  explicit PodWorld(Value pod);

  // One step of a script, see pod_world.cpp: "settle", "exit main 1", "wait 10s", "delete 30", ...
  void step(const std::string& line);
  // Looks again and again, doing what is asked, until nothing is left to do now.
  void settle();
  void wait(Duration duration);  // with every look that falls into it

  const std::string& log() const { return log_; }
  const Value& status() const { return memory_.status; }
  const plan::pod::SandboxRecord* sandbox() const { return sandbox_ ? &*sandbox_ : nullptr; }
  plan::pod::Memory& memory() { return memory_; }
  bool object_deleted() const { return object_deleted_; }
  bool forgotten() const { return forgotten_; }

  bool holds_pulls = false, holds_hooks = false, holds_starts = false;  // until "end KEY"
  std::map<std::string, plan::pod::ActionOutcome> outcomes;  // by format_action's first words
  // Called after each look, for invariants.
  std::function<void(PodWorld&)> invariant;

 private:
  plan::pod::Situation situation(const plan::pod::PodView& view) const;
  bool look();
  void act(const plan::pod::PodAction& action);
  void end(const plan::pod::PodAction& action);
  void write(const std::string& text);
  void write_status();
  plan::pod::ContainerRecord* running(const std::string& name);
  plan::pod::ContainerRecord* by_id(const std::string& id);
  void exit_container(const std::string& name, int code, bool oom);

  Value pod_;
  plan::pod::Memory memory_;
  std::optional<plan::pod::SandboxRecord> sandbox_;
  plan::pod::ProbeResults probes_;
  std::map<std::string, plan::pod::ImageView, std::less<>> images_;
  std::map<std::string, plan::pod::PodAction> held_;
  std::map<std::string, bool> ignores_term_;
  std::optional<Duration> next_look_;
  std::optional<plan::pod::Rejection> rejection_;
  Instant now_;
  Instant start_;
  uint64_t generation_ = 1;
  int ids_ = 0;
  bool gone_ = false, object_deleted_ = false, forgotten_ = false, publishes_ = true;
  std::string network_not_ready_, log_, last_status_;
};

}  // namespace orch::test
