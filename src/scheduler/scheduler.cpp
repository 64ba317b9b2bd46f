#include "scheduler/scheduler.h"

#include "client/informers.h"
#include "loop/scope.h"
#include "plan/core/object.h"
#include "plan/sched/placer.h"
#include "plan/sched/queue.h"
#include "scheduler/reporter.h"

namespace orch::scheduler {

namespace {

using namespace plan::sched;

// Pods tried in one turn of the loop: others want to run, too.
constexpr int most_in_a_turn = 64;
constexpr std::string_view gated_message = "Scheduling is blocked due to non-empty scheduling gates";

class Driver final : public Scheduler {
 public:
  Driver(loop::Loop& loop, client::ApiPort& api, Random& random, Logger logger, Options options)
      : loop_(loop),
        api_(api),
        random_(random),
        logger_(logger.named("scheduler")),
        options_(std::move(options)),
        reporter_(loop, api, logger_, options_.name),
        changed_(loop),
        informers_(loop, api, logger_),
        scope_(loop) {
    informers_.add({plan::types::nodes});
    informers_.add({plan::types::pods});
    informers_.on_change([this](const plan::Type& type, const Value& old, const Value& now) {
      type.same(plan::types::nodes) ? hear_node(old, now) : hear_pod(old, now);
    });
    informers_.start();
    scope_.spawn(run());
  }
  ~Driver() override { disarm(); }

  bool is_synced() const override { return informers_.is_synced(); }
  bool is_idle() const override {
    return is_synced() && queue_.active() == 0 && queue_.backing_off() == 0 && bindings_ == 0;
  }

 private:
  void hear_node(const Value& old, const Value& now) {
    EventMask events = event::node_removed;
    if (now.is_null()) {
      cluster_.remove_node(plan::name_of(old));
    } else {
      events = cluster_.put_node(now);
    }
    wake(events);
  }

  void hear_pod(const Value& old, const Value& now) {
    const std::string uid(plan::uid_of(now.is_null() ? old : now));
    if (now.is_null()) {
      wake(cluster_.remove_pod(uid));
      drop(uid);
      return;
    }
    const bool is_assigned = !now["spec"]["nodeName"].as_string().empty();
    // Most changes are of a running pod's status, which nobody decides on here.
    if (is_assigned && !old.is_null() && is_same_to_scheduler(old, now)) return;
    PodPtr pod = parse_pod(now);
    if (is_assigned) {
      drop(uid);
      wake(cluster_.put_pod(pod));
    } else if (pod->finished || pod->deleting || !is_ours(*pod)) {
      drop(uid);
    } else if (!cluster_.is_placed(uid)) {  // else its binding is on the way
      queue_.put(pod, loop_.now());
      if (pod->gated) reporter_.not_scheduled(*pod, "SchedulingGated", std::string(gated_message));
      changed_.set();
    }
  }

  bool is_ours(const PodInfo& pod) const {
    return pod.scheduler == options_.name || (pod.scheduler.empty() && options_.name == "default-scheduler");
  }
  void drop(const std::string& uid) {
    queue_.remove(uid);
    reporter_.drop(uid);
  }
  void wake(EventMask events) {
    queue_.wake(events, loop_.now());
    if (events != 0) changed_.set();
  }

  loop::Task<void> run() {
    co_await informers_.wait_synced();
    for (;;) {
      changed_.reset();
      if (try_some()) {
        co_await loop::yield_turn(loop_);
        continue;
      }
      arm();
      co_await changed_.wait();
    }
  }

  // False: nothing is left to be tried for now.
  bool try_some() {
    for (int i = 0; i < most_in_a_turn; ++i) {
      if (bindings_ >= options_.most_bindings) return false;
      PodPtr pod = queue_.take(loop_.now());
      if (!pod) return false;
      try_one(pod);
    }
    return true;
  }

  void try_one(const PodPtr& pod) {
    Decision decision = placer_.place(cluster_, *pod, random_);
    if (auto* placement = std::get_if<Placement>(&decision)) {
      cluster_.assume(pod, *placement->node);
      ++bindings_;
      scope_.spawn(bind(pod, placement->node->name));
      return;
    }
    const FitError& error = std::get<FitError>(decision);
    queue_.refuse(pod->uid, error.plugins, loop_.now());
    reporter_.not_scheduled(*pod, "Unschedulable", error.message);
  }

  loop::Task<void> bind(PodPtr pod, std::string node) {
    client::Target target;
    target.version = "v1";
    target.resource = "pods";
    target.ns = pod->ns;
    target.name = pod->name;
    target.subresource = "binding";
    Value metadata = Value::object({{"name", pod->name}, {"namespace", pod->ns}, {"uid", pod->uid}});
    Value to = Value::object({{"kind", "Node"}, {"name", node}});
    Value binding =
        Value::object({{"apiVersion", "v1"}, {"kind", "Binding"}, {"metadata", metadata}, {"target", to}});
    client::WriteOptions options;
    options.field_manager = options_.name;
    auto result = co_await api_.create(target, binding, options).result();
    --bindings_;
    changed_.set();
    if (result.ok()) {
      queue_.done(pod->uid);
      reporter_.assigned(*pod, node);
      if (logger_.enabled(LogLevel::debug)) logger_.debug("bound", {{"pod", pod->full_name()}, {"node", node}});
    } else {
      give_back(pod, result.error());
    }
  }

  // The binding failed: what it had taken is free again, the pod is tried later. Whoever is gone or
  // has got a node elsewhere is told of by the informer, before or after.
  void give_back(const PodPtr& pod, const Error& error) {
    if (cluster_.is_assumed(pod->uid)) {
      cluster_.forget(pod->uid);
      wake(event::pod_removed);
    }
    if (error.is(Code::not_found)) return queue_.done(pod->uid);
    if (!queue_.has(pod->uid)) return;
    queue_.fail(pod->uid, loop_.now());
    logger_.info("binding failed", {{"pod", pod->full_name()}, {"error", error.message()}});
    reporter_.not_scheduled(*pod, "SchedulerError", "binding rejected: " + error.message());
  }

  // Sleeps until a pause is over, where one is.
  void arm() {
    disarm();
    const auto due = queue_.next_due();
    if (!due || bindings_ >= options_.most_bindings) return;
    timer_ = loop_.start_timer(*due, [this] {
      timer_.reset();
      changed_.set();
    });
  }
  void disarm() {
    if (timer_) loop_.cancel_timer(*timer_);
    timer_.reset();
  }

  loop::Loop& loop_;
  client::ApiPort& api_;
  Random& random_;
  Logger logger_;
  Options options_;
  ClusterState cluster_;
  Queue queue_;
  Placer placer_;
  size_t bindings_ = 0;
  Reporter reporter_;
  loop::Event changed_;
  std::optional<loop::Loop::TimerId> timer_;
  client::Informers informers_;
  loop::Scope scope_;  // last: its tasks use the others
};

}  // namespace

std::unique_ptr<Scheduler> start(loop::Loop& loop, client::ApiPort& api, Random& random, Logger logger,
                                 Options options) {
  return std::make_unique<Driver>(loop, api, random, std::move(logger), std::move(options));
}

}  // namespace orch::scheduler
