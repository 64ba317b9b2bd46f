#include "client/plan_executor.h"

#include <catch2/catch_test_macros.hpp>

#include "loop/virtual_loop.h"
#include "support/fake_api.h"

using namespace orch;
using namespace orch::test;
using client::Outcome;

namespace {

struct Execution {
  loop::VirtualLoop loop;
  FakeCluster cluster;
  FakeApi api{loop, cluster};
  client::Informers informers{loop, api, Logger::discard()};
  client::EventRecorder events{loop, api, Logger::discard()};
  client::PlanExecutor executor{loop, api, informers, events};
  size_t tried = 0;

  Execution() {
    informers.add({plan::types::pods});
    informers.start();
    loop.run_until_idle();
    cluster.fault = [this](std::string_view, const plan::Ref&) -> std::optional<Error> {
      ++tried;
      return std::nullopt;
    };
  }
  static Value pod(std::string_view name) {
    return Value::object({{"metadata", Value::object({{"name", name}, {"namespace", "default"}})}});
  }
  static plan::Plan batch(int pods) {
    plan::Plan plan;
    for (int i = 0; i < pods; ++i) {
      plan::Action action = plan::create(plan::types::pods, pod("p" + std::to_string(i)));
      action.batch = 1;
      action.on_failure.push_back(plan::Note{plan::NoteType::warning, "FailedCreate", "Error creating: {error}", {}});
      plan.add(std::move(action));
    }
    return plan;
  }
  Outcome execute(plan::Plan plan) {
    Value about = Value::object({{"kind", "ReplicaSet"}, {"namespace", "default"}, {"name", "web"}, {"uid", "u"}});
    auto outcome = loop.run(executor.execute(std::move(plan), about, "tester"));
    REQUIRE(outcome.ok());
    return std::move(outcome).value();
  }
};

}  // namespace

TEST_CASE("What a plan made is in the snapshot as soon as the plan is done") {
  Execution e;
  e.api.hold_events = true;
  CHECK(e.execute(Execution::batch(10)).state == Outcome::State::done);
  CHECK(e.informers.snapshot().list(plan::types::pods, "default").size() == 10);
}

TEST_CASE("A batch in which everything fails is tried once") {
  Execution e;
  e.cluster.fault = [&](std::string_view, const plan::Ref& ref) -> std::optional<Error> {
    if (ref.resource != "pods") return std::nullopt;
    ++e.tried;
    return Error::make(Code::forbidden, "exceeded quota");
  };
  Outcome outcome = e.execute(Execution::batch(100));
  CHECK(outcome.state == Outcome::State::failed);
  CHECK(e.tried == 1);
  e.loop.run_until_idle();
  auto events = e.cluster.list(plan::types::events);
  REQUIRE(events.size() == 1);
  CHECK(events[0]["message"] == Value("Error creating: exceeded quota"));
}

TEST_CASE("A batch that begins to fail stops growing, and what follows it still runs") {
  Execution e;
  e.cluster.fault = [&](std::string_view verb, const plan::Ref& ref) -> std::optional<Error> {
    if (verb != "create" || ref.resource != "pods") return std::nullopt;
    return ++e.tried > 5 ? std::optional(Error::make(Code::forbidden, "exceeded quota")) : std::nullopt;
  };
  Value set = e.cluster.add(plan::types::config_maps, Execution::pod("status"));
  plan::Plan plan = Execution::batch(100);
  plan.add(plan::update(plan::types::config_maps, set.with("data", Value::object({{"a", "b"}}))));
  CHECK(e.execute(std::move(plan)).state == Outcome::State::failed);
  CHECK(e.tried < 20);
  CHECK(e.cluster.get(plan::types::config_maps, "default", "status").has("data"));
}

TEST_CASE("A conflict ends the plan and asks for another look") {
  Execution e;
  Value old = e.cluster.add(plan::types::config_maps, Execution::pod("a"));
  e.cluster.change(plan::types::config_maps, old, [](const Value& v) { return v.with("data", Value::empty_object()); });
  plan::Plan plan;
  plan.add(plan::update(plan::types::config_maps, old.with("data", Value::object({{"x", "y"}}))));
  plan.add(plan::create(plan::types::config_maps, Execution::pod("never")));
  CHECK(e.execute(std::move(plan)).state == Outcome::State::stale);
  CHECK(e.cluster.get(plan::types::config_maps, "default", "never").is_null());
}

TEST_CASE("Removing what is gone is success; a create may take a name that is taken for success") {
  Execution e;
  plan::Plan plan;
  plan.add(plan::remove(plan::types::pods, Execution::pod("gone")));
  CHECK(e.execute(std::move(plan)).state == Outcome::State::done);
  e.cluster.add(plan::types::config_maps, Execution::pod("a"));
  plan::Plan again;
  again.add(plan::create(plan::types::config_maps, Execution::pod("a")));
  again.actions[0].exists = plan::Conflict::ignore;
  CHECK(e.execute(again).state == Outcome::State::done);
  again.actions[0].exists = plan::Conflict::fail;
  CHECK(e.execute(again).state == Outcome::State::stale);
}

TEST_CASE("An action whose guard does not hold is not done") {
  Execution e;
  Value owner = e.cluster.add(plan::types::config_maps, Execution::pod("owner"));
  Value pod = e.cluster.add(plan::types::pods, Execution::pod("p"));
  plan::Plan plan;
  plan.add(plan::remove(plan::types::pods, pod));
  plan.actions[0].guards.push_back(plan::Guard{plan::Guard::Condition::absent,
                                               plan::ref_of(plan::types::config_maps, owner),
                                               std::string(plan::uid_of(owner))});
  CHECK(e.execute(plan).state == Outcome::State::stale);
  CHECK(e.cluster.list(plan::types::pods).size() == 1);
  e.cluster.finish_deletion(plan::types::config_maps, owner);
  CHECK(e.execute(plan).state == Outcome::State::done);
  CHECK(e.cluster.list(plan::types::pods).empty());
}
