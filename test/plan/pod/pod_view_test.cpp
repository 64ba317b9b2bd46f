#include "plan/pod/pod_view.h"

#include <catch2/catch_test_macros.hpp>

#include "data/yaml.h"

using namespace orch;
using namespace orch::plan::pod;

namespace {

PodView view(std::string_view yaml) { return PodView(parse_yaml_document(yaml).value()); }

}  // namespace

TEST_CASE("Containers come in the order they start, each with its kind and restart policy") {
  PodView pod = view(R"(
spec:
  restartPolicy: Always
  containers: [{name: main}]
  initContainers: [{name: first}, {name: proxy, restartPolicy: Always}]
  ephemeralContainers: [{name: debug}]
)");
  REQUIRE(pod.containers().size() == 4);
  CHECK(pod.containers()[0].kind == ContainerKind::init);
  CHECK(pod.containers()[0].restart_policy == RestartPolicy::on_failure);
  CHECK(pod.containers()[1].kind == ContainerKind::sidecar);
  CHECK(pod.containers()[1].restart_policy == RestartPolicy::always);
  CHECK(pod.containers()[2].kind == ContainerKind::main);
  CHECK(pod.containers()[3].restart_policy == RestartPolicy::never);
  CHECK(pod.find("debug")->kind == ContainerKind::ephemeral);
  CHECK(pod.find("nobody") == nullptr);
}

TEST_CASE("The grace period of a deletion replaces the pod's own") {
  CHECK(view("spec: {}").grace_period() == 30s);
  CHECK(view("spec: {terminationGracePeriodSeconds: 5}").grace_period() == 5s);
  CHECK(view(R"(
metadata: {deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 0}
spec: {terminationGracePeriodSeconds: 5}
)").grace_period() == 0s);
}

TEST_CASE("A long name becomes a host name of 63 bytes that ends in a letter or digit") {
  std::string name(62, 'a');
  CHECK(view("metadata: {name: " + name + "-bcd}").hostname() == name);
  CHECK(view("metadata: {name: web-0}\nspec: {hostname: other}").hostname() == "other");
  CHECK(view("metadata: {name: web-0}\nspec: {hostNetwork: true}").hostname().empty());
  CHECK(view("metadata: {namespace: shop}\nspec: {subdomain: db}").domainname("cluster.local") == "db.shop.svc.cluster.local");
}
