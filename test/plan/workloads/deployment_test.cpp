#include "plan/workloads/deployment.h"

#include <catch2/catch_test_macros.hpp>

#include "plan/core/pod.h"
#include "plan/core/status.h"
#include "plan/workloads/deployment_rollout.h"
#include "plan/workloads/fixtures.h"
#include "plan/workloads/replica_set.h"
#include "support/plan_world.h"

using namespace orch;
using namespace orch::plan;
using namespace orch::test;

namespace {

struct Deployments : PlanWorld {
  Deployments() : PlanWorld({deployment_reconciler(), replica_set_reconciler()}) {}

  Value web() const { return get(types::deployments, "default", "web"); }
  Plan decide_web(const Error* failure = nullptr) {
    return decide(deployment_reconciler(), ObjectKey{"", "default", "web"}, failure);
  }
  // As a user: generation counts.
  template <class F>
  void edit(F change_it) {
    Value changed = change_it(web());
    REQUIRE(update(ref_of(types::deployments, changed), changed).ok());
  }
  void set_image(std::string_view image) {
    edit([&](const Value& d) { return with_image(d, image); });
  }
  void set_replicas(int64_t replicas) {
    edit([&](const Value& d) { return d.with_path({"spec", "replicas"}, Value(replicas)); });
  }
  Value set_of(std::string_view image) const {
    for (const Value& set : list(types::replica_sets))
      if (set["spec"]["template"]["spec"]["containers"].at(0)["image"].as_string() == image) return set;
    return Value();
  }
  int64_t size_of(std::string_view image) const { return set_of(image)["spec"]["replicas"].as_int(-1); }
  std::string condition(std::string_view type) const {
    const Value& c = find_condition(web()["status"]["conditions"], type);
    return std::string(c["status"].as_string()) + " " + std::string(c["reason"].as_string());
  }
  std::string sizes() const {
    std::string text;
    for (const Value& set : list(types::replica_sets)) {
      text += std::string(set["spec"]["template"]["spec"]["containers"].at(0)["image"].as_string()) + "=" +
              std::to_string(set["spec"]["replicas"].as_int()) + " ";
    }
    return text;
  }
  std::vector<std::string> scalings() {
    std::vector<std::string> lines;
    for (const Note& note : std::exchange(notes, {})) {
      if (note.reason != "ScalingReplicaSet") continue;
      std::string text = note.message;
      for (const Value& set : list(types::replica_sets))
        text = replace_all(text, name_of(set), set["spec"]["template"]["spec"]["containers"].at(0)["image"].as_string());
      lines.push_back(text);
    }
    return lines;
  }
  static std::string replace_all(std::string text, std::string_view from, std::string_view to) {
    if (size_t at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to);
    return text;
  }
};

}  // namespace

TEST_CASE("A new Deployment gets a ReplicaSet with its hash, revision 1, and completes") {
  Deployments world;
  world.add(types::deployments, deployment("web", 3));
  REQUIRE(world.roll_out());
  auto sets = world.list(types::replica_sets);
  REQUIRE(sets.size() == 1);
  const Value& set = sets[0];
  std::string hash(labels_of(set)["pod-template-hash"].as_string());
  CHECK(!hash.empty());
  CHECK(name_of(set) == "web-" + hash);
  CHECK(set["spec"]["selector"]["matchLabels"]["pod-template-hash"] == Value(hash));
  CHECK(set["spec"]["selector"]["matchLabels"]["app"] == Value("web"));
  CHECK(set["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] == Value(hash));
  CHECK(is_controlled_by(set, uid_of(world.web())));
  CHECK(annotation_of(set, "deployment.kubernetes.io/revision") == "1");
  CHECK(annotation_of(set, "deployment.kubernetes.io/desired-replicas") == "3");
  CHECK(annotation_of(set, "deployment.kubernetes.io/max-replicas") == "4");
  CHECK(annotation_of(world.web(), "deployment.kubernetes.io/revision") == "1");
  const Value status = world.web()["status"];
  CHECK(status["replicas"] == Value(3));
  CHECK(status["updatedReplicas"] == Value(3));
  CHECK(status["readyReplicas"] == Value(3));
  CHECK(status["availableReplicas"] == Value(3));
  CHECK(status["unavailableReplicas"].is_null());
  CHECK(status["observedGeneration"] == Value(1));
  CHECK(world.condition("Available") == "True MinimumReplicasAvailable");
  CHECK(world.condition("Progressing") == "True NewReplicaSetAvailable");
  const Value& progressing = find_condition(status["conditions"], "Progressing");
  CHECK(progressing["message"].as_string() == "ReplicaSet \"web-" + hash + "\" has successfully progressed.");
  CHECK(world.scalings() == std::vector<std::string>{"Scaled up replica set image:1 from 0 to 3"});
}

TEST_CASE("While pods are missing the conditions say so") {
  Deployments world;
  world.add(types::deployments, deployment("web", 4));
  REQUIRE(world.settle());
  CHECK(world.condition("Available") == "False MinimumReplicasUnavailable");
  CHECK(world.condition("Progressing") == "True ReplicaSetUpdated");
  CHECK(world.web()["status"]["unavailableReplicas"] == Value(4));
  world.make_pods_ready(3);  // 25% of 4 may be missing
  REQUIRE(world.settle());
  CHECK(world.condition("Available") == "True MinimumReplicasAvailable");
}

TEST_CASE("A rolling update goes step by step within maxSurge and maxUnavailable") {
  Deployments world;
  world.add(types::deployments, deployment("web", 4, {.max_surge = 1, .max_unavailable = 1}));
  REQUIRE(world.roll_out());
  world.scalings();
  world.set_image("image:2");
  REQUIRE(world.roll_out());
  CHECK(world.scalings() == std::vector<std::string>{
                                "Scaled up replica set image:2 from 0 to 1",
                                "Scaled down replica set image:1 from 4 to 3",
                                "Scaled up replica set image:2 from 1 to 2",
                                "Scaled down replica set image:1 from 3 to 1",
                                "Scaled up replica set image:2 from 2 to 4",
                                "Scaled down replica set image:1 from 1 to 0",
                            });
  CHECK(annotation_of(world.web(), "deployment.kubernetes.io/revision") == "2");
  CHECK(world.web()["status"]["observedGeneration"] == Value(2));
  CHECK(world.condition("Progressing") == "True NewReplicaSetAvailable");
}

TEST_CASE("With maxSurge and maxUnavailable both rounding to zero one pod may be missing") {
  Value d = deployment("web", 3, {.max_surge = 0, .max_unavailable = "10%"});
  CHECK(rollout::max_surge(d) == 0);
  CHECK(rollout::max_unavailable(d) == 1);
  // Surge rounds up, unavailability down.
  d = deployment("web", 10, {.max_surge = "25%", .max_unavailable = "25%"});
  CHECK(rollout::max_surge(d) == 3);
  CHECK(rollout::max_unavailable(d) == 2);
}

// The example of "Proportional scaling" in the documentation of Deployments.
TEST_CASE("Scaling in the middle of a rollout is spread over the active ReplicaSets in proportion") {
  Deployments world;
  world.add(types::deployments, deployment("web", 10, {.max_surge = 3, .max_unavailable = 2}));
  REQUIRE(world.roll_out());
  world.set_image("broken");
  REQUIRE(world.settle());  // pods of the new image never become ready
  CHECK(world.size_of("broken") == 5);
  CHECK(world.size_of("image:1") == 8);
  world.set_replicas(15);
  REQUIRE(world.settle());
  CHECK(world.size_of("broken") == 7);
  CHECK(world.size_of("image:1") == 11);
}

TEST_CASE("Scaling to zero and back keeps the ReplicaSet") {
  Deployments world;
  world.add(types::deployments, deployment("web", 3));
  REQUIRE(world.roll_out());
  world.set_replicas(0);
  REQUIRE(world.roll_out());
  CHECK(world.list(types::pods).empty());
  CHECK(world.condition("Available") == "True MinimumReplicasAvailable");
  world.set_replicas(2);
  REQUIRE(world.roll_out());
  CHECK(world.list(types::replica_sets).size() == 1);
  CHECK(world.list(types::pods).size() == 2);
}

TEST_CASE("Going back to an old template revives its ReplicaSet under a new revision and keeps the history") {
  Deployments world;
  world.add(types::deployments, deployment("web", 2));
  REQUIRE(world.roll_out());
  world.set_image("image:2");
  REQUIRE(world.roll_out());
  world.set_image("image:1");  // what `kubectl rollout undo` does
  REQUIRE(world.roll_out());
  CHECK(world.list(types::replica_sets).size() == 2);
  CHECK(world.size_of("image:1") == 2);
  CHECK(annotation_of(world.set_of("image:1"), "deployment.kubernetes.io/revision") == "3");
  CHECK(annotation_of(world.set_of("image:1"), "deployment.kubernetes.io/revision-history") == "1");
  CHECK(annotation_of(world.set_of("image:2"), "deployment.kubernetes.io/revision") == "2");
  CHECK(annotation_of(world.web(), "deployment.kubernetes.io/revision") == "3");
  world.set_image("image:2");
  REQUIRE(world.roll_out());
  world.set_image("image:1");
  REQUIRE(world.roll_out());
  CHECK(annotation_of(world.set_of("image:1"), "deployment.kubernetes.io/revision") == "5");
  CHECK(annotation_of(world.set_of("image:1"), "deployment.kubernetes.io/revision-history") == "1,3");
}

TEST_CASE("Annotations of the Deployment show on its current ReplicaSet, kubectl's own not") {
  Deployments world;
  Value d = with_annotation(deployment("web", 1), "kubernetes.io/change-cause", "first");
  world.add(types::deployments, with_annotation(d, "kubectl.kubernetes.io/last-applied-configuration", "{}"));
  REQUIRE(world.roll_out());
  CHECK(annotation_of(world.set_of("image:1"), "kubernetes.io/change-cause") == "first");
  CHECK(!annotations_of(world.set_of("image:1")).has("kubectl.kubernetes.io/last-applied-configuration"));
  world.edit([](const Value& v) { return with_annotation(v, "kubernetes.io/change-cause", "second"); });
  REQUIRE(world.roll_out());
  CHECK(annotation_of(world.set_of("image:1"), "kubernetes.io/change-cause") == "second");
}

TEST_CASE("A paused Deployment scales but does not roll out, and a resumed one does") {
  Deployments world;
  world.add(types::deployments, deployment("web", 2));
  REQUIRE(world.roll_out());
  world.edit([](const Value& d) { return d.with_path({"spec", "paused"}, Value(true)); });
  world.set_image("image:2");
  world.set_replicas(4);
  REQUIRE(world.roll_out());
  CHECK(world.sizes() == "image:1=4 ");
  CHECK(world.condition("Progressing") == "Unknown DeploymentPaused");
  world.edit([](const Value& d) { return d.with_path({"spec", "paused"}, std::nullopt); });
  REQUIRE(world.roll_out());
  CHECK(world.size_of("image:2") == 4);
  CHECK(world.size_of("image:1") == 0);
  CHECK(world.condition("Progressing") == "True NewReplicaSetAvailable");
}

TEST_CASE("A rollout that stops progressing times out at its deadline, and progress ends the time-out") {
  Deployments world;
  world.add(types::deployments, deployment("web", 2));
  REQUIRE(world.settle());
  world.now = world.now + 300s;
  REQUIRE(world.settle());
  CHECK(world.condition("Progressing") == "True ReplicaSetUpdated");
  auto again = world.decide_web().requeue_after;
  REQUIRE(again.has_value());
  CHECK(*again == 301s);
  world.now = world.now + *again;
  REQUIRE(world.settle());
  CHECK(world.condition("Progressing") == "False ProgressDeadlineExceeded");
  const Value status = world.web()["status"];
  CHECK(find_condition(status["conditions"], "Progressing")["message"].as_string() ==
        "ReplicaSet \"" + std::string(name_of(world.set_of("image:1"))) + "\" has timed out progressing.");
  REQUIRE(world.roll_out());
  CHECK(world.condition("Progressing") == "True NewReplicaSetAvailable");
}

TEST_CASE("Without a progress deadline there is no Progressing condition") {
  Deployments world;
  world.add(types::deployments,
            deployment("web", 1).with_path({"spec", "progressDeadlineSeconds"}, Value(2147483647)));
  REQUIRE(world.roll_out());
  CHECK(world.condition("Progressing") == " ");
  CHECK(world.condition("Available") == "True MinimumReplicasAvailable");
}

TEST_CASE("Recreate stops all old pods before it starts new ones") {
  Deployments world;
  world.graceful_pods = true;
  world.add(types::deployments, deployment("web", 3).with_path({"spec", "strategy"}, Value::object({{"type", "Recreate"}})));
  REQUIRE(world.roll_out());
  world.set_image("image:2");
  REQUIRE(world.roll_out());
  CHECK(world.sizes() == "image:1=0 ");  // the old pods are still shutting down
  for (const Value& pod : world.list(types::pods)) world.finish_deletion(types::pods, pod);
  REQUIRE(world.roll_out());
  CHECK(world.size_of("image:2") == 3);
  CHECK(world.list(types::pods).size() == 3);
  CHECK(world.condition("Progressing") == "True NewReplicaSetAvailable");
}

TEST_CASE("Old ReplicaSets beyond revisionHistoryLimit go, the oldest revision first") {
  Deployments world;
  world.add(types::deployments, deployment("web", 1).with_path({"spec", "revisionHistoryLimit"}, Value(2)));
  for (const char* image : {"image:2", "image:3", "image:4", "image:5"}) {
    REQUIRE(world.roll_out());
    world.set_image(image);
  }
  REQUIRE(world.roll_out());
  CHECK(world.list(types::replica_sets).size() == 3);
  CHECK(world.set_of("image:1").is_null());
  CHECK(world.set_of("image:2").is_null());
  CHECK(world.size_of("image:3") == 0);
}

TEST_CASE("A ReplicaSet name that is taken counts as a collision and leads to another hash") {
  Deployments world;
  std::string taken = "web-" + rollout::template_hash(pod_template("web", "image:1"), std::nullopt);
  Value other = replica_set("unrelated", 0).with_path({"metadata", "name"}, Value(taken));
  Value stored = world.add(types::replica_sets, other);
  world.add(types::deployments, deployment("web", 2));
  REQUIRE(world.roll_out());
  CHECK(world.web()["status"]["collisionCount"] == Value(1));
  CHECK(world.list(types::replica_sets).size() == 2);
  CHECK(world.list(types::pods).size() == 2);
  CHECK(world.get(types::replica_sets, "default", taken)["spec"] == stored["spec"]);
}

TEST_CASE("A ReplicaSet that cannot be made shows in the Progressing condition") {
  Deployments world;
  world.add(types::deployments, deployment("web", 2));
  Error denied = Error::make(Code::forbidden, "exceeded quota");
  Plan plan = world.decide_web(&denied);
  REQUIRE(plan.actions.size() >= 2);
  CHECK(plan.actions[0].ref.subresource == "status");
  Value condition = find_condition(plan.actions[0].object["status"]["conditions"], "Progressing");
  CHECK(condition["status"] == Value("False"));
  CHECK(condition["reason"] == Value("ReplicaSetCreateError"));
}

TEST_CASE("A Deployment that selects everything is told so and makes nothing") {
  Deployments world;
  world.add(types::deployments, deployment("web", 1).with_path({"spec", "selector"}, Value::empty_object()));
  REQUIRE(world.settle());
  CHECK(world.list(types::replica_sets).empty());
  REQUIRE(world.notes.size() == 1);
  CHECK(world.notes[0].reason == "SelectingAll");
}

namespace {

// Pods that count for the limits of a rolling update.
struct Census {
  int64_t total = 0, available = 0;
};
Census census(const Deployments& world) {
  Census census;
  for (const Value& pod : world.list(types::pods)) {
    census.total += is_pod_active(pod);
    census.available += is_pod_active(pod) && is_pod_ready(pod);
  }
  return census;
}

}  // namespace

TEST_CASE("No rolling update exceeds maxSurge or falls below maxUnavailable, and each converges") {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    const auto replicas = static_cast<int64_t>(1 + random.below(12));
    const auto surge = static_cast<int64_t>(random.below(4));
    const auto unavailable = static_cast<int64_t>(random.below(static_cast<uint64_t>(replicas) + 1));
    Deployments world;
    Value d = deployment("web", replicas, {.max_surge = surge, .max_unavailable = unavailable});
    const int64_t most = replicas + rollout::max_surge(d);
    const int64_t least = replicas - rollout::max_unavailable(d);
    world.add(types::deployments, d);
    REQUIRE(world.roll_out());
    world.after_plan = [&] {
      Census now = census(world);
      CHECK(now.total <= most);
      CHECK(now.available >= least);
    };
    for (int i = 0; i < 30; ++i) {
      switch (random.below(4)) {
        case 0: world.set_image("image:" + std::to_string(1 + random.below(3))); break;
        case 1: world.make_pods_ready(random.below(4)); break;
        default: world.step();
      }
    }
    REQUIRE(world.roll_out());
    CHECK(world.decide_web().actions.empty());
    CHECK(census(world).available == replicas);
    CHECK(world.condition("Progressing") == "True NewReplicaSetAvailable");
  }
}

TEST_CASE("Scaling, pausing and editing in any order end in the wanted state") {
  for (uint64_t seed = 100; seed <= 130; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    Deployments world;
    world.add(types::deployments, deployment("web", 3));
    Value stranger = world.add(types::replica_sets, replica_set("db", 2));
    for (int i = 0; i < 40; ++i) {
      switch (random.below(6)) {
        case 0: world.set_image("image:" + std::to_string(random.below(4))); break;
        case 1: world.set_replicas(static_cast<int64_t>(random.below(9))); break;
        case 2:
          world.edit([&](const Value& d) { return d.with_path({"spec", "paused"}, Value(random.below(2) == 0)); });
          break;
        case 3: world.make_pods_ready(random.below(4)); break;
        default: world.step();
      }
      world.now = world.now + 1s;
    }
    world.edit([](const Value& d) { return d.with_path({"spec", "paused"}, std::nullopt); });
    REQUIRE(world.roll_out());
    CHECK(world.decide_web().actions.empty());
    const int64_t replicas = world.web()["spec"]["replicas"].as_int();
    CHECK(world.web()["status"]["updatedReplicas"].as_int() == replicas);
    CHECK(world.web()["status"]["replicas"].as_int() == replicas);
    CHECK(world.web()["status"]["availableReplicas"].as_int() == replicas);
    CHECK(world.get(types::replica_sets, "default", "db")["spec"] == stranger["spec"]);
  }
}
