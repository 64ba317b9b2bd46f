#include "control/controllers.h"

#include <catch2/catch_test_macros.hpp>

#include "loop/virtual_loop.h"
#include "plan/core/pod.h"
#include "plan/core/status.h"
#include "plan/workloads/fixtures.h"
#include "support/fake_api.h"

using namespace orch;
using namespace orch::plan;
using namespace orch::test;

namespace {

struct Cluster {
  loop::VirtualLoop loop;
  FakeCluster objects;
  FakeApi api{loop, objects};
  std::unique_ptr<control::Controllers> controllers;

  const Value lease =
      Value::object({{"metadata", Value::object({{"name", "node-1"}, {"namespace", "kube-node-lease"}})}});

  Cluster() {
    objects.now = loop.wall();
    objects.add(types::nodes, Value::object({{"metadata", Value::object({{"name", "node-1"}})}}));
    objects.add(types::leases, lease);
  }
  void start() { controllers = control::start(loop, api, Logger::discard(), {}); }
  void set_image(std::string_view image) {
    objects.change(types::deployments, web(), [&](const Value& d) {
      return with_image(d, image).with_path({"metadata", "generation"}, Value(generation_of(d) + 1));
    });
  }
  Value web() const { return objects.get(types::deployments, "default", "web"); }
  // Pods become ready a second after they appear.
  void run_with_kubelet(Duration duration) {
    for (Duration passed{}; passed < duration; passed += 1s) {
      loop.run_for(1s);
      objects.now = loop.wall();
      objects.make_pods_ready();
      objects.change(types::leases, lease, [this](const Value& v) {
        return v.with_path({"spec", "renewTime"}, Value(format_micro_time(objects.now)));
      });
    }
    loop.run_for(100ms);
  }
  size_t ready_pods(std::string_view image) const {
    size_t count = 0;
    for (const Value& pod : objects.list(types::pods))
      count += is_pod_ready(pod) && pod["spec"]["containers"].at(0)["image"].as_string() == image;
    return count;
  }
  bool is_complete() const {
    return find_condition(web()["status"]["conditions"], "Progressing")["reason"].as_string() ==
               "NewReplicaSetAvailable" &&
           web()["status"]["observedGeneration"].as_int() == generation_of(web());
  }
};

}  // namespace

TEST_CASE("A Deployment of 200 pods rolls out and over, driven by the controllers") {
  Cluster cluster;
  cluster.objects.add(types::deployments, deployment("web", 200));
  cluster.start();
  cluster.run_with_kubelet(10s);
  CHECK(cluster.ready_pods("image:1") == 200);
  CHECK(cluster.is_complete());
  cluster.set_image("image:2");
  cluster.run_with_kubelet(30s);
  CHECK(cluster.ready_pods("image:2") == 200);
  CHECK(cluster.ready_pods("image:1") == 0);
  CHECK(cluster.is_complete());

  const size_t writes = cluster.objects.writes;
  cluster.run_with_kubelet(60s);
  CHECK(cluster.objects.writes == writes);  // at rest
  REQUIRE(cluster.loop.run(cluster.controllers->stop()).ok());
}

TEST_CASE("Events tell what the controllers did") {
  Cluster cluster;
  cluster.objects.add(types::deployments, deployment("web", 2));
  cluster.start();
  cluster.run_with_kubelet(3s);
  size_t scaled = 0, created = 0;
  for (const Value& event : cluster.objects.list(types::events)) {
    if (event["reason"] == Value("ScalingReplicaSet")) {
      ++scaled;
      CHECK(event["involvedObject"]["kind"] == Value("Deployment"));
      CHECK(event["source"]["component"] == Value("deployment-controller"));
      CHECK(event["type"] == Value("Normal"));
    }
    if (event["reason"] == Value("SuccessfulCreate")) {
      ++created;
      CHECK(event["message"].as_string().substr(0, 17) == "Created pod: web-");
    }
  }
  CHECK(scaled == 1);
  CHECK(created == 2);
}

TEST_CASE("Watches that bring nothing do not lead to too many pods") {
  Cluster cluster;
  cluster.objects.add(types::deployments, deployment("web", 3));
  cluster.start();
  cluster.run_with_kubelet(2s);
  REQUIRE(cluster.is_complete());
  cluster.api.hold_events = true;  // from here on the informers live on the results of our own writes
  cluster.set_image("image:2");
  cluster.api.release_events();
  cluster.loop.run_until_idle();
  cluster.api.hold_events = true;
  for (int i = 0; i < 20; ++i) {
    cluster.loop.run_for(1s);
    CHECK(cluster.objects.list(types::pods).size() <= 4);
  }
  cluster.api.release_events();
  cluster.run_with_kubelet(20s);
  CHECK(cluster.is_complete());
}

TEST_CASE("Failed writes, conflicts and broken watches delay a rollout but do not spoil it") {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    Cluster cluster;
    cluster.objects.add(types::deployments, deployment("web", 12));
    bool faulty = true;
    cluster.objects.fault = [&](std::string_view, const Ref&) -> std::optional<Error> {
      if (!faulty) return std::nullopt;
      switch (random.below(6)) {
        case 0: return Error::make(Code::unavailable, "the API is away");
        case 1: return Error::make(Code::conflict, "the object has been modified");
        default: return std::nullopt;
      }
    };
    cluster.start();
    for (int i = 0; i < 60; ++i) {
      if (i == 20) cluster.set_image("image:2");
      if (random.below(8) == 0) cluster.api.break_watches();
      if (random.below(20) == 0) {
        cluster.api.forget_history();
        cluster.api.break_watches();
      }
      cluster.run_with_kubelet(1s);
      CHECK(cluster.objects.list(types::pods).size() <= 15);  // 25% of 12 more
    }
    faulty = false;
    cluster.run_with_kubelet(120s);
    CHECK(cluster.ready_pods("image:2") == 12);
    CHECK(cluster.is_complete());
  }
}

TEST_CASE("Controllers that start anew in the middle of a rollout finish it") {
  for (int stop_after_ms : {0, 3, 7, 500, 1500, 2500, 3500}) {
    INFO("stopped after " << stop_after_ms << " ms");
    Cluster cluster;
    cluster.objects.add(types::deployments, deployment("web", 8));
    cluster.start();
    cluster.run_with_kubelet(4s);
    cluster.set_image("image:2");
    cluster.loop.run_for(std::chrono::milliseconds(stop_after_ms));
    cluster.controllers.reset();
    cluster.start();
    cluster.run_with_kubelet(20s);
    CHECK(cluster.ready_pods("image:2") == 8);
    CHECK(cluster.is_complete());
  }
}
