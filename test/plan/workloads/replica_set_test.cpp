#include "plan/workloads/replica_set.h"

#include <catch2/catch_test_macros.hpp>
#include <set>

#include "plan/core/index.h"
#include "plan/core/pod.h"
#include "plan/workloads/fixtures.h"
#include "plan/workloads/pod_ranking.h"
#include "support/plan_world.h"

using namespace orch;
using namespace orch::plan;
using namespace orch::test;

namespace {

struct Sets : PlanWorld {
  Sets() : PlanWorld({replica_set_reconciler()}) {}
  Plan decide_web(const Error* failure = nullptr) {
    return decide(replica_set_reconciler(), ObjectKey{"", "default", "web"}, failure);
  }
  Value web() const { return get(types::replica_sets, "default", "web"); }
};

Value loose_pod(std::string_view name, std::string_view app) {
  return Value::object({{"metadata", Value::object({{"name", name}, {"namespace", "default"}, {"labels", labels(app)}})},
                        {"spec", Value::empty_object()}});
}

size_t count(const Plan& plan, Verb verb, std::string_view resource) {
  size_t n = 0;
  for (const Action& action : plan.actions) n += action.verb == verb && action.ref.resource == resource;
  return n;
}

}  // namespace

TEST_CASE("A ReplicaSet makes its pods of the template, owned and named after it") {
  Sets sets;
  sets.add(types::replica_sets, replica_set("web", 3));
  Plan plan = sets.decide_web();
  CHECK(format_plan(plan) ==
        "create pods default/web-\n  Normal SuccessfulCreate: Created pod: {name}\n"
        "create pods default/web-\n  Normal SuccessfulCreate: Created pod: {name}\n"
        "create pods default/web-\n  Normal SuccessfulCreate: Created pod: {name}\n"
        "update replicasets/status default/web\n");
  const Value& pod = plan.actions[0].object;
  CHECK(labels_of(pod) == labels("web"));
  CHECK(pod["spec"]["containers"].at(0)["image"] == Value("image:1"));
  const Value& owner = controller_of(pod);
  CHECK(owner["kind"] == Value("ReplicaSet"));
  CHECK(owner["uid"] == Value(uid_of(sets.web())));
  CHECK(owner["blockOwnerDeletion"] == Value(true));
  CHECK(plan.actions[0].batch != 0);
}

TEST_CASE("A ReplicaSet reports replicas, ready and available pods and what it observed") {
  Sets sets;
  sets.add(types::replica_sets, replica_set("web", 3));
  REQUIRE(sets.settle());
  CHECK(sets.web()["status"] ==
        Value::object({{"replicas", 3}, {"fullyLabeledReplicas", 3}, {"observedGeneration", 1}}));
  sets.make_pods_ready(2);
  REQUIRE(sets.settle());
  CHECK(sets.web()["status"]["readyReplicas"] == Value(2));
  CHECK(sets.web()["status"]["availableReplicas"] == Value(2));
}

TEST_CASE("Finished pods and pods being deleted are replaced") {
  Sets sets;
  sets.graceful_pods = true;
  sets.add(types::replica_sets, replica_set("web", 2));
  REQUIRE(sets.settle());
  auto pods = sets.list(types::pods);
  sets.change(types::pods, pods[0], [](const Value& pod) { return pod.with_path({"status", "phase"}, Value("Failed")); });
  sets.make_pods_ready();
  sets.request_deletion(types::pods, pods[1]);
  REQUIRE(sets.settle());
  size_t active = 0;
  for (const Value& pod : sets.list(types::pods)) active += is_pod_active(pod);
  CHECK(active == 2);
  CHECK(sets.list(types::pods).size() == 4);
}

TEST_CASE("A ReplicaSet adopts a matching pod that nobody controls and lets go of one that no longer matches") {
  Sets sets;
  sets.add(types::pods, loose_pod("stray", "web"));
  sets.add(types::pods, loose_pod("other", "db"));
  sets.add(types::replica_sets, replica_set("web", 2));
  REQUIRE(sets.settle());
  CHECK(sets.list(types::pods).size() == 3);
  CHECK(is_controlled_by(sets.get(types::pods, "default", "stray"), uid_of(sets.web())));
  CHECK(controller_of(sets.get(types::pods, "default", "other")).is_null());

  sets.change(types::pods, loose_pod("stray", "web"),
              [](const Value& pod) { return pod.with_path({"metadata", "labels"}, labels("debug")); });
  REQUIRE(sets.settle());
  CHECK(controller_of(sets.get(types::pods, "default", "stray")).is_null());
  CHECK(sets.list(types::pods).size() == 4);
}

TEST_CASE("A pod of another controller is left alone though its labels match") {
  Sets sets;
  Value theirs = loose_pod("theirs", "web").with_path(
      {"metadata", "ownerReferences"},
      Value::list({Value::object({{"kind", "Job"}, {"name", "x"}, {"uid", "another"}, {"controller", true}})}));
  Value stored = sets.add(types::pods, theirs);
  sets.add(types::replica_sets, replica_set("web", 1));
  REQUIRE(sets.settle());
  CHECK(sets.get(types::pods, "default", "theirs") == stored);
  CHECK(sets.list(types::pods).size() == 2);
}

TEST_CASE("A ReplicaSet that is being deleted makes no pods and adopts none") {
  Sets sets;
  Value set = replica_set("web", 2).with_path({"metadata", "finalizers"}, Value::list({"foregroundDeletion"}));
  sets.add(types::replica_sets, set);
  sets.add(types::pods, loose_pod("stray", "web"));
  sets.request_deletion(types::replica_sets, set);
  REQUIRE(sets.settle());
  CHECK(sets.list(types::pods).size() == 1);
  CHECK(controller_of(sets.get(types::pods, "default", "stray")).is_null());
}

TEST_CASE("minReadySeconds delays availability, and the plan says when to look again") {
  Sets sets;
  sets.add(types::replica_sets, replica_set("web", 1).with_path({"spec", "minReadySeconds"}, Value(10)));
  sets.settle();
  sets.make_pods_ready();
  REQUIRE(sets.settle());
  CHECK(sets.web()["status"]["availableReplicas"].as_int() == 0);
  sets.now = sets.now + 4s;
  auto again = sets.decide_web().requeue_after;
  REQUIRE(again.has_value());
  CHECK(*again >= 6s);
  CHECK(*again <= 7s);
  sets.now = sets.now + *again;
  REQUIRE(sets.settle());
  CHECK(sets.web()["status"]["availableReplicas"].as_int() == 1);
}

TEST_CASE("Pods that could not be made show as ReplicaFailure until it works again") {
  Sets sets;
  sets.add(types::replica_sets, replica_set("web", 1));
  Error denied = Error::make(Code::forbidden, "pods \"web-\" is forbidden: exceeded quota");
  Plan plan = sets.decide_web(&denied);
  const Value& condition = plan.actions.back().object["status"]["conditions"].at(0);
  CHECK(condition["type"] == Value("ReplicaFailure"));
  CHECK(condition["status"] == Value("True"));
  CHECK(condition["reason"] == Value("FailedCreate"));
  CHECK(condition["message"] == Value("pods \"web-\" is forbidden: exceeded quota"));
  sets.act(plan);
  REQUIRE(sets.settle());
  CHECK(sets.web()["status"]["conditions"].is_null());
}

TEST_CASE("A plan creates at most 500 pods") {
  Sets sets;
  sets.add(types::replica_sets, replica_set("web", 700));
  CHECK(count(sets.decide_web(), Verb::create, "pods") == 500);
}

namespace {

// What ranks a pod, with the values of one that is deleted last.
struct Traits {
  std::string_view node = "n1", phase = "Running", ready = "True", cost = "0";
  int64_t restarts = 0;
  Duration ready_for = 24h, age = 24h;
};

Value ranked_pod(std::string_view name, Instant now, const Traits& t) {
  Value meta = Value::object(
      {{"name", name},
       {"namespace", "default"},
       {"uid", name},
       {"creationTimestamp", format_time(now - t.age)},
       {"annotations", Value::object({{"controller.kubernetes.io/pod-deletion-cost", t.cost}})}});
  Value ready = Value::object(
      {{"type", "Ready"}, {"status", t.ready}, {"lastTransitionTime", format_time(now - t.ready_for)}});
  Value status = Value::object({{"phase", t.phase},
                                {"conditions", Value::list({ready})},
                                {"containerStatuses", Value::list({Value::object({{"restartCount", t.restarts}})})}});
  return Value::object(
      {{"metadata", meta}, {"spec", Value::object({{"nodeName", t.node}})}, {"status", status}});
}

}  // namespace

TEST_CASE("Pods are deleted in the order kubectl users expect") {
  const Instant now{1'767'225'600'000'000'000};
  // Each of these goes before the plain one, and before all that follow it here.
  std::vector<Value> pods = {
      ranked_pod("unassigned", now, {.node = ""}),
      ranked_pod("pending", now, {.phase = "Pending"}),
      ranked_pod("unknown", now, {.phase = "Unknown"}),
      ranked_pod("not-ready", now, {.ready = "False"}),
      ranked_pod("cheap", now, {.cost = "-5"}),
      ranked_pod("crowded", now, {.node = "n2"}),
      ranked_pod("just-ready", now, {.ready_for = 10s}),
      ranked_pod("restarted", now, {.restarts = 3}),
      ranked_pod("young", now, {.age = 1h}),
      ranked_pod("plain", now, {}),
      ranked_pod("dear", now, {.cost = "5"}),
  };
  std::vector<Value> related;
  for (int i = 0; i < 3; ++i) related.push_back(ranked_pod("elsewhere", now, {.node = "n2"}));
  std::vector<Value> shuffled(pods.rbegin(), pods.rend());
  for (size_t n = 0; n <= pods.size(); ++n) {
    std::set<std::string_view> expected, chosen;
    for (size_t i = 0; i < n; ++i) expected.insert(name_of(pods[i]));
    auto to_delete = choose_pods_to_delete(shuffled, related, n, now);
    for (const Value& pod : to_delete) chosen.insert(name_of(pod));
    CHECK(chosen == expected);
  }
}

TEST_CASE("Whatever happens to pods, a ReplicaSet comes back to its size and then rests") {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    Sets sets;
    sets.graceful_pods = random.below(2) == 0;
    sets.add(types::replica_sets, replica_set("web", 4));
    Value stranger = sets.add(types::pods, loose_pod("stranger", "db"));
    for (int i = 0; i < 40; ++i) {
      auto pods = sets.list(types::pods);
      const Value& pod = pods[random.below(pods.size())];
      const bool is_stranger = name_of(pod) == "stranger";
      switch (random.below(6)) {
        case 0: sets.make_pods_ready(random.below(3)); break;
        case 1: if (!is_stranger) sets.request_deletion(types::pods, pod); break;
        case 2: if (is_deleting(pod)) sets.finish_deletion(types::pods, pod); break;
        case 3:
          sets.change(types::replica_sets, sets.web(), [&](const Value& set) {
            return set.with_path({"spec", "replicas"}, Value(static_cast<int64_t>(random.below(7))));
          });
          break;
        case 4:
          if (!is_stranger)
            sets.change(types::pods, pod, [](const Value& p) { return p.with_path({"status", "phase"}, Value("Failed")); });
          break;
        default: sets.step();
      }
    }
    REQUIRE(sets.settle());
    CHECK(sets.decide_web().actions.empty());
    int64_t active = 0;
    for (const Value& pod : sets.list(types::pods))
      active += is_pod_active(pod) && is_controlled_by(pod, uid_of(sets.web()));
    CHECK(active == sets.web()["spec"]["replicas"].as_int());
    CHECK(sets.web()["status"]["replicas"].as_int() == active);
    CHECK(labels_of(sets.get(types::pods, "default", "stranger")) == labels("db"));
    CHECK(controller_of(sets.get(types::pods, "default", "stranger")).is_null());
  }
}
