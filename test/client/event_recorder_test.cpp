#include "client/event_recorder.h"

#include <catch2/catch_test_macros.hpp>

#include "client/lease_keeper.h"
#include "loop/virtual_loop.h"
#include "support/fake_api.h"

using namespace orch;
using namespace orch::test;

namespace {

struct Recorded {
  loop::VirtualLoop loop;
  FakeCluster cluster;
  FakeApi api{loop, cluster};
  client::EventRecorder recorder{loop, api, Logger::discard()};
  Value about = Value::object({{"apiVersion", "apps/v1"}, {"kind", "ReplicaSet"}, {"namespace", "default"},
                               {"name", "web"}, {"uid", "u"}});

  void say(std::string_view message) {
    recorder.record("tester", about, plan::Note{plan::NoteType::normal, "Said", std::string(message), {}});
    REQUIRE(loop.run(recorder.flush()).ok());
  }
  std::vector<Value> events() const { return cluster.list(plan::types::events); }
};

}  // namespace

TEST_CASE("The same event again raises the count of the first") {
  Recorded r;
  r.say("hello");
  r.loop.run_for(10s);
  r.say("hello");
  r.say("other");
  REQUIRE(r.events().size() == 2);
  const Value event = r.events()[0]["message"] == Value("hello") ? r.events()[0] : r.events()[1];
  CHECK(event["count"] == Value(2));
  CHECK(event["firstTimestamp"] == Value("2026-01-01T00:00:00Z"));
  CHECK(event["lastTimestamp"] == Value("2026-01-01T00:00:10Z"));
  CHECK(event["involvedObject"] == r.about);
  CHECK(event["type"] == Value("Normal"));
  CHECK(event["source"]["component"] == Value("tester"));
}

TEST_CASE("An Event that somebody deleted is made anew") {
  Recorded r;
  r.say("hello");
  r.cluster.finish_deletion(plan::types::events, r.events()[0]);
  r.loop.run_for(1s);
  r.say("hello");
  REQUIRE(r.events().size() == 1);
  CHECK(r.events()[0]["count"] == Value(1));
}

TEST_CASE("Many different messages of one reason end up in one event, and a flood is cut short") {
  Recorded r;
  for (int i = 0; i < 20; ++i) r.say("message " + std::to_string(i));
  size_t combined = 0;
  for (const Value& event : r.events())
    combined += event["message"].as_string().starts_with("(combined from similar events): ");
  CHECK(combined == 1);
  CHECK(r.events().size() == 11);
  const size_t writes = r.cluster.writes;
  for (int i = 0; i < 100; ++i) r.say("message " + std::to_string(i));
  CHECK(r.cluster.writes - writes <= 6);  // 25 at once
}

TEST_CASE("A lease is made, renewed every quarter of its time, and made again when it is gone") {
  loop::VirtualLoop loop;
  FakeCluster cluster;
  FakeApi api{loop, cluster};
  client::LeaseSpec spec;
  spec.name = spec.holder = "n1";
  client::LeaseKeeper keeper(loop, api, Logger::discard(), spec);
  loop::Scope scope(loop);
  scope.spawn(keeper.run());
  auto renewed = [&] {
    Value lease = cluster.get(plan::types::leases, "kube-node-lease", "n1");
    return std::string(lease["spec"]["renewTime"].as_string());
  };
  loop.run_for(1s);
  CHECK(renewed() == "2026-01-01T00:00:00.000000Z");
  loop.run_for(10s);
  CHECK(renewed() == "2026-01-01T00:00:10.000000Z");
  cluster.finish_deletion(plan::types::leases, cluster.get(plan::types::leases, "kube-node-lease", "n1"));
  CHECK(renewed().empty());
  loop.run_for(11s);
  CHECK(!renewed().empty());
}
