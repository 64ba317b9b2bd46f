#pragma once
// Prober: tries the probes of containers that run (plan/pod/probe_schedule.h says when and what follows), and tells of
// failed attempts. Owner: the pod maker. On the loop's thread.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/handlers.h"
#include "base/log.h"
#include "loop/scope.h"
#include "plan/core/plan.h"
#include "plan/pod/probe_schedule.h"
#include "plan/pod/runtime_view.h"

namespace orch::agent {

class Prober {
 public:
  struct Parts {
    loop::Loop& loop;
    Handlers& handlers;
    Logger log;
    // An event about a pod (its `about` names the container).
    std::function<void(const plan::pod::PodView&, const plan::Note&)> tell;
  };
  explicit Prober(Parts parts);
  ~Prober();

  // The containers of the pod that run now; null or dead: none. Cheap when nothing is new. `changed` is called, from
  // the loop, when a result is another.
  void watch(const plan::pod::PodView& pod, const plan::pod::SandboxRecord* sandbox, const std::vector<std::string>& ips,
             std::function<void()> changed);
  const plan::pod::ProbeResults& results(std::string_view pod_uid) const;
  void stop(std::string_view pod_uid);

 private:
  struct Container;
  struct Pod;
  loop::Task<void> follow(Pod& pod, Container& container, plan::pod::ProbeCourse& course);
  loop::Task<void> attempt(Pod& pod, Container& container, plan::pod::ProbeCourse& course);
  void conclude(Pod& pod, Container& container, plan::pod::ProbeCourse& course, const Attempt& attempt);
  std::unique_ptr<Container> begin(Pod& pod, const plan::pod::ContainerView& view, const plan::pod::ContainerRecord& record);

  Parts parts_;
  std::map<std::string, std::unique_ptr<Pod>, std::less<>> pods_;  // by uid
};

}  // namespace orch::agent
