#include "control/controllers.h"

#include <map>

#include "client/event_recorder.h"
#include "client/informers.h"
#include "client/keyed_queue.h"
#include "client/plan_executor.h"
#include "control/reconcilers.h"
#include "loop/scope.h"

namespace orch::control {

namespace {

using client::Outcome;
using plan::ObjectKey;

// One reconciler with its queue.
struct Controller {
  Controller(loop::Loop& loop, plan::Reconciler r) : reconciler(std::move(r)), queue(loop, client::BackOff{}) {}
  plan::Reconciler reconciler;
  client::KeyedQueue<ObjectKey> queue;
  std::map<ObjectKey, Error> failures;  // of the last execution
  std::map<ObjectKey, Mono> waiting;    // Context::waiting_since
};

class Driver final : public Controllers {
 public:
  Driver(loop::Loop& loop, client::ApiPort& api, Logger logger, Options options,
         std::vector<plan::Reconciler> reconcilers)
      : loop_(loop),
        logger_(logger.named("control")),
        options_(std::move(options)),
        informers_(loop, api, logger_),
        events_(loop, api, logger_),
        executor_(loop, api, informers_, events_),
        scope_(loop) {
    for (plan::Reconciler& reconciler : reconcilers)
      controllers_.push_back(std::make_unique<Controller>(loop, std::move(reconciler)));
    for (const auto& known : options_.types) informers_.add(known);
    for (auto& controller : controllers_) {
      if (!controller->reconciler.type.resource.empty()) informers_.add({controller->reconciler.type});
      for (const plan::Watch& watch : controller->reconciler.watches)
        if (!watch.type.resource.empty()) informers_.add({watch.type});
    }
    informers_.on_change([this](const plan::Type& type, const Value& old, const Value& now) { hear(type, old, now); });
    informers_.start();
    for (auto& controller : controllers_)
      for (int i = 0; i < options_.workers; ++i) scope_.spawn(work(*controller));
  }

  loop::Task<void> stop() override {
    for (auto& controller : controllers_) controller->queue.close();
    if (!informers_.is_synced()) scope_.cancel();  // no worker has begun
    co_await scope_.join();
    co_await events_.flush();
  }
  bool is_synced() const override { return informers_.is_synced(); }
  const plan::Snapshot& snapshot() const override { return informers_.snapshot(); }

 private:
  void hear(const plan::Type& type, const Value& old, const Value& now) {
    std::vector<ObjectKey> keys;
    for (auto& controller : controllers_) {
      for (const plan::Watch& watch : controller->reconciler.watches) {
        // A watch without a resource hears of all types.
        if (!watch.type.resource.empty() && !watch.type.same(type)) continue;
        keys.clear();
        watch.keys_of(informers_.snapshot(), type, old, now, keys);
        for (const ObjectKey& key : keys) controller->queue.add(key);
      }
    }
  }

  loop::Task<void> work(Controller& controller) {
    co_await informers_.wait_synced();
    for (;;) {
      auto taken = co_await controller.queue.take().result();
      if (!taken.ok()) co_return;
      co_await reconcile(controller, taken.value());
      controller.queue.done(taken.value());
    }
  }

  loop::Task<void> reconcile(Controller& controller, ObjectKey key) {
    auto failure = controller.failures.find(key);
    plan::Context context;
    context.now = loop_.wall();
    context.mono = loop_.now();
    context.last_failure = failure == controller.failures.end() ? nullptr : &failure->second;
    context.root_ca = options_.root_ca;
    context.cluster_cidr = options_.cluster_cidr;
    auto waiting = controller.waiting.find(key);
    if (waiting != controller.waiting.end()) context.waiting_since = waiting->second;
    plan::Plan planned = controller.reconciler.reconcile(informers_.snapshot(), key, context);
    const auto requeue_after = planned.requeue_after;
    if (requeue_after) {
      controller.waiting.emplace(key, context.mono);
    } else if (planned.empty()) {
      controller.waiting.erase(key);
    }
    Outcome outcome;
    if (!planned.empty()) {
      if (logger_.enabled(LogLevel::debug))
        logger_.debug(controller.reconciler.name, {{"key", key.ns + "/" + key.name}, {"plan", plan::format_plan(planned)}});
      Value about = client::EventRecorder::reference(about_of(controller, key));
      outcome = co_await executor_.execute(std::move(planned), about, std::string(controller.reconciler.name));
    }
    settle(controller, key, outcome, requeue_after);
  }

  // What follows from how an execution ended.
  void settle(Controller& controller, const ObjectKey& key, const Outcome& outcome,
              std::optional<Duration> requeue_after) {
    if (outcome.state == Outcome::State::failed) {
      logger_.info("a plan failed", {{"controller", controller.reconciler.name},
                                     {"key", key.ns + "/" + key.name},
                                     {"error", outcome.error->message()}});
      controller.failures.insert_or_assign(key, *outcome.error);
    } else if (outcome.state == Outcome::State::done) {
      controller.failures.erase(key);
    }
    if (outcome.state != Outcome::State::done) return controller.queue.add_failed(key);
    controller.queue.forget(key);
    if (!requeue_after) return;
    // A plan that wants to be looked at again at once, again and again, is slowed down.
    if (*requeue_after <= Duration{}) return controller.queue.add_failed(key);
    controller.queue.add_after(key, *requeue_after);
  }

  Value about_of(const Controller& controller, const ObjectKey& key) const {
    if (key.resource.empty()) return informers_.snapshot().get(controller.reconciler.type, key.ns, key.name);
    for (const auto& known : informers_.snapshot().known_types())
      if (known.type.id() == key.resource) return informers_.snapshot().get(known.type, key.ns, key.name);
    return Value();
  }

  loop::Loop& loop_;
  Logger logger_;
  Options options_;
  std::vector<std::unique_ptr<Controller>> controllers_;
  client::Informers informers_;
  client::EventRecorder events_;
  client::PlanExecutor executor_;
  loop::Scope scope_;  // last: its tasks use the others
};

}  // namespace

std::unique_ptr<Controllers> start(loop::Loop& loop, client::ApiPort& api, Logger logger, Options options,
                                   std::vector<plan::Reconciler> reconcilers) {
  return std::make_unique<Driver>(loop, api, std::move(logger), std::move(options), std::move(reconcilers));
}

std::unique_ptr<Controllers> start(loop::Loop& loop, client::ApiPort& api, Logger logger, Options options) {
  return start(loop, api, std::move(logger), std::move(options), all_reconcilers());
}

}  // namespace orch::control
