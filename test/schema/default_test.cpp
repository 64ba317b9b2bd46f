#include <catch2/catch_test_macros.hpp>

#include "base/text.h"
#include "data/json.h"
#include "data/yaml.h"
#include "schema/engine.h"
#include "schema/hooks.h"
#include "support/golden.h"

using namespace orch;
using namespace orch::schema;

namespace {

const Registry& registry() {
  static const auto built = Registry::builtin().value();
  return *built;
}
const Hooks& hooks() {
  static const Hooks all = Hooks::builtin();
  return all;
}

Value decoded(std::string_view group, std::string_view kind, std::string_view text) {
  const Type& type = *registry().find_kind(group, "v1", kind)->type;
  auto pruned = prune(type, parse_json(text).value());
  if (!pruned.ok()) FAIL(pruned.error().message());
  CHECK(pruned->unknown.empty());
  return apply_defaults(type, pruned->object, hooks());
}

std::string defaulted(std::string_view group, std::string_view kind, std::string_view text) {
  return format_json(decoded(group, kind, text));
}

}  // namespace

// The expected texts are what the defaulting of a Kubernetes 1.33 API server makes of the input.

TEST_CASE("a small pod gets everything a server adds to it") {
  CHECK(defaulted("", "Pod", R"({"metadata":{"name":"a"},"spec":{"containers":[{"name":"c","image":"nginx",
      "ports":[{"containerPort":80}],"resources":{"limits":{"cpu":"0.5"}},
      "livenessProbe":{"httpGet":{"port":80}}}],"volumes":[{"name":"v"},{"name":"s","secret":{"secretName":"x"}}]}})") ==
        R"({"metadata":{"creationTimestamp":null,"name":"a"},"spec":{"containers":[{"image":"nginx",)"
        R"("imagePullPolicy":"Always","livenessProbe":{"failureThreshold":3,"httpGet":{"path":"/","port":80,)"
        R"("scheme":"HTTP"},"periodSeconds":10,"successThreshold":1,"timeoutSeconds":1},"name":"c",)"
        R"("ports":[{"containerPort":80,"protocol":"TCP"}],"resources":{"limits":{"cpu":"500m"},)"
        R"("requests":{"cpu":"500m"}},"terminationMessagePath":"/dev/termination-log",)"
        R"("terminationMessagePolicy":"File"}],"dnsPolicy":"ClusterFirst","enableServiceLinks":true,)"
        R"("restartPolicy":"Always","schedulerName":"default-scheduler","securityContext":{},)"
        R"("terminationGracePeriodSeconds":30,"volumes":[{"emptyDir":{},"name":"v"},{"name":"s",)"
        R"("secret":{"defaultMode":420,"secretName":"x"}}]},"status":{}})");
}

TEST_CASE("a small deployment gets its strategy and its pods' defaults") {
  CHECK(defaulted("apps", "Deployment",
                  R"({"metadata":{"name":"a"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":
                      {"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"r:5000/x:1"}]}}}})") ==
        R"({"metadata":{"creationTimestamp":null,"name":"a"},"spec":{"progressDeadlineSeconds":600,"replicas":1,)"
        R"("revisionHistoryLimit":10,"selector":{"matchLabels":{"a":"b"}},"strategy":{"rollingUpdate":)"
        R"({"maxSurge":"25%","maxUnavailable":"25%"},"type":"RollingUpdate"},"template":{"metadata":)"
        R"({"creationTimestamp":null,"labels":{"a":"b"}},"spec":{"containers":[{"image":"r:5000/x:1",)"
        R"("imagePullPolicy":"IfNotPresent","name":"c","resources":{},)"
        R"("terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}],)"
        R"("dnsPolicy":"ClusterFirst","restartPolicy":"Always","schedulerName":"default-scheduler",)"
        R"("securityContext":{},"terminationGracePeriodSeconds":30}}},"status":{}})");
}

TEST_CASE("services get their policies by type") {
  CHECK(defaulted("", "Service", R"({"spec":{"ports":[{"port":80}]}})") ==
        R"({"metadata":{"creationTimestamp":null},"spec":{"internalTrafficPolicy":"Cluster","ports":[{"port":80,)"
        R"("protocol":"TCP","targetPort":80}],"sessionAffinity":"None","type":"ClusterIP"},)"
        R"("status":{"loadBalancer":{}}})");
  Value balanced = decoded("", "Service", R"({"spec":{"type":"LoadBalancer","sessionAffinity":"ClientIP",
      "ports":[{"port":80,"targetPort":"web"}]}})");
  CHECK(balanced["spec"]["allocateLoadBalancerNodePorts"] == true);
  CHECK(balanced["spec"]["externalTrafficPolicy"] == "Cluster");
  CHECK(balanced["spec"]["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"] == 10800);
  CHECK(balanced["spec"]["ports"].at(0)["targetPort"] == "web");
}

TEST_CASE("stateful and daemon sets get a rolling update") {
  Value stateful = decoded("apps", "StatefulSet", R"({"spec":{"volumeClaimTemplates":[{"metadata":{"name":"d"}}]}})");
  CHECK(format_json(stateful["spec"]["updateStrategy"]) ==
        R"({"rollingUpdate":{"partition":0},"type":"RollingUpdate"})");
  CHECK(stateful["spec"]["volumeClaimTemplates"].at(0)["kind"] == "PersistentVolumeClaim");
  CHECK(stateful["spec"]["volumeClaimTemplates"].at(0)["status"]["phase"] == "Pending");
  CHECK(format_json(stateful["spec"]["persistentVolumeClaimRetentionPolicy"]) ==
        R"({"whenDeleted":"Retain","whenScaled":"Retain"})");
  Value daemon = decoded("apps", "DaemonSet", R"({})");
  CHECK(format_json(daemon["spec"]["updateStrategy"]) ==
        R"({"rollingUpdate":{"maxSurge":0,"maxUnavailable":1},"type":"RollingUpdate"})");
}

TEST_CASE("a job completes once, unless it is a work queue") {
  Value one = decoded("batch", "Job", R"({"spec":{"template":{"metadata":{"labels":{"a":"b"}}}}})");
  CHECK(one["spec"]["completions"] == 1);
  CHECK(one["spec"]["parallelism"] == 1);
  CHECK(one["spec"]["backoffLimit"] == 6);
  CHECK(one["spec"]["completionMode"] == "NonIndexed");
  CHECK(one["spec"]["podReplacementPolicy"] == "TerminatingOrFailed");
  CHECK(one["metadata"]["labels"]["a"] == "b");
  Value queue = decoded("batch", "Job", R"({"spec":{"parallelism":3}})");
  CHECK_FALSE(queue["spec"].has("completions"));
}

TEST_CASE("secrets take texts as they are and store them encoded") {
  CHECK(defaulted("", "Secret", R"({"data":{"b":"eA=="},"stringData":{"a":"hello","b":"y"}})") ==
        R"({"data":{"a":"aGVsbG8=","b":"eQ=="},"metadata":{"creationTimestamp":null},"type":"Opaque"})");
}

TEST_CASE("a resource list keeps thousandths and rounds what is finer") {
  Value pod = decoded("", "Pod", R"({"spec":{"containers":[{"name":"c","resources":{"requests":
      {"cpu":"100.5u","memory":"1024Mi","ephemeral-storage":"7Ei"}}}]}})");
  const Value& requests = pod["spec"]["containers"].at(0)["resources"]["requests"];
  CHECK(requests["cpu"] == "1m");
  CHECK(requests["memory"] == "1Gi");
  CHECK(requests["ephemeral-storage"] == "7Ei");
}

TEST_CASE("what has its defaults already is shared, not copied") {
  Value pod = decoded("", "Pod", R"({"metadata":{"name":"a"},"spec":{"containers":[{"name":"c","image":"nginx"}]}})");
  const Type& type = *registry().find_kind("", "v1", "Pod")->type;
  CHECK(apply_defaults(type, pod, hooks()).same(pod));
  CHECK(prune(type, pod)->object.same(pod));
}

TEST_CASE("lists of every kind get the defaults of their items") {
  test::check_golden("schema/golden/defaulting.txt", [](const test::GoldenCase& golden) {
    auto document = parse_yaml_document(golden.input);
    if (!document.ok()) FAIL(golden.name << ": " << document.error().message());
    std::string_view version = document.value()["apiVersion"].as_string(), group;
    if (auto parts = split_once(version, '/')) {
      group = parts->first;
      version = parts->second;
    }
    const Kind* kind = registry().find_kind(group, version, document.value()["kind"].as_string());
    REQUIRE(kind);
    auto pruned = prune(*kind->type, document.value());
    if (!pruned.ok()) FAIL(golden.name << ": " << pruned.error().message());
    CHECK(pruned->unknown.empty());
    const Value once = apply_defaults(*kind->type, pruned->object, hooks());
    CHECK(apply_defaults(*kind->type, once, hooks()) == once);
    return format_yaml(once);
  });
}
