#include <catch2/catch_test_macros.hpp>

#include "data/json.h"
#include "schema/engine.h"
#include "schema/hooks.h"

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

// Decoded, defaulted, prepared and validated as the server does it; one cause a line.
std::string shown(const std::vector<Cause>& causes) {
  std::string lines;
  for (const Cause& cause : causes) lines += cause.field + ": " + cause.message + "\n";
  return lines;
}

Value ready(const Kind& kind, std::string_view text) {
  auto pruned = prune(*kind.type, parse_json(text).value());
  if (!pruned.ok()) FAIL(pruned.error().message());
  return apply_defaults(*kind.type, pruned->object, hooks());
}

std::string created(std::string_view group, std::string_view kind_name, std::string_view text) {
  const Kind& kind = *registry().find_kind(group, "v1", kind_name);
  Value object = prepare_create(kind, ready(kind, text), hooks(), {});
  return shown(validate_create(kind, object, hooks(), {}));
}

std::string updated(std::string_view group, std::string_view kind_name, std::string_view before,
                    std::string_view after, std::string_view subresource = "") {
  const Kind& kind = *registry().find_kind(group, "v1", kind_name);
  WriteContext write{.subresource = subresource};
  Value old_object = ready(kind, before).with_path({"metadata", "resourceVersion"}, Value("1"));
  Value object = ready(kind, after).with_path({"metadata", "resourceVersion"}, Value("1"));
  object = prepare_update(kind, old_object, object, hooks(), write);
  return shown(validate_update(kind, old_object, object, hooks(), write));
}

std::string pod_with(std::string_view spec) {
  return R"({"metadata":{"name":"a","namespace":"d"},"spec":)" + std::string(spec) + "}";
}
std::string pod(std::string_view spec) { return created("", "Pod", pod_with(spec)); }
std::string container(std::string_view members) {
  return pod(R"({"containers":[{"name":"c","image":"i",)" + std::string(members) + "}]}");
}

}  // namespace

TEST_CASE("a right pod has no causes") {
  CHECK(pod(R"({"containers":[{"name":"c","image":"nginx"}]})") == "");
}

TEST_CASE("a pod without anything lacks containers") {
  CHECK(pod("{}") == "spec.containers: Required value\n");
}

TEST_CASE("names are checked by the kind's form") {
  CHECK(created("", "Pod", R"({"metadata":{"name":"A_b","namespace":"d"},"spec":{"containers":[{"name":"c","image":"i"}]}})") ==
        "metadata.name: Invalid value: \"A_b\": a lowercase RFC 1123 subdomain must consist of lower case "
        "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. "
        "'example.com', regex used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')\n");
  CHECK(created("", "ConfigMap", R"({"metadata":{"namespace":"d"}})") ==
        "metadata.name: Required value: name or generateName is required\n");
  CHECK(created("", "ConfigMap", R"({"metadata":{"name":"a"}})") == "metadata.namespace: Required value\n");
  CHECK(created("", "Node", R"({"metadata":{"name":"a","namespace":"d"}})") ==
        "metadata.namespace: Forbidden: not allowed on this type\n");
}

TEST_CASE("lines of a container are checked with Kubernetes' words") {
  CHECK(container(R"("ports":[{"containerPort":70000}])") ==
        "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, "
        "inclusive\n");
  CHECK(container(R"("ports":[{"containerPort":80,"protocol":"tcp"}])") ==
        "spec.containers[0].ports[0].protocol: Unsupported value: \"tcp\": supported values: \"SCTP\", "
        "\"TCP\", \"UDP\"\n");
  CHECK(container(R"("imagePullPolicy":"Sometimes")") ==
        "spec.containers[0].imagePullPolicy: Unsupported value: \"Sometimes\": supported values: "
        "\"Always\", \"IfNotPresent\", \"Never\"\n");
  CHECK(container(R"("env":[{"name":"a=b"}])") ==
        "spec.containers[0].env[0].name: Invalid value: \"a=b\": a valid environment variable name must "
        "consist only of printable ASCII characters other than '='\n");
  CHECK(container(R"("volumeMounts":[{"name":"v","mountPath":"/x"}])") ==
        "spec.containers[0].volumeMounts[0].name: Not found: \"v\"\n");
  CHECK(container(R"("resources":{"requests":{"cpu":"2"},"limits":{"cpu":"1"}})") ==
        "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu "
        "limit of 1\n");
  CHECK(container(R"("livenessProbe":{"tcpSocket":{"port":80},"exec":{"command":["x"]}})") ==
        "spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type\n");
}

TEST_CASE("names of containers and volumes are unique") {
  CHECK(pod(R"({"containers":[{"name":"c","image":"i"},{"name":"c","image":"i"}]})") ==
        "spec.containers[1].name: Duplicate value: \"c\"\n");
  CHECK(pod(R"({"containers":[{"name":"c","image":"i"}],"initContainers":[{"name":"c","image":"i"}]})") ==
        "spec.initContainers[0].name: Duplicate value: \"c\"\n");
  CHECK(pod(R"({"containers":[{"name":"c","image":"i"}],"volumes":[{"name":"v"},{"name":"v"}]})") ==
        "spec.volumes[1].name: Duplicate value: \"v\"\n");
}

TEST_CASE("a volume has one source") {
  CHECK(pod(R"({"containers":[{"name":"c","image":"i"}],"volumes":[{"name":"v","emptyDir":{},
      "hostPath":{"path":"/x"}}]})") ==
        "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type\n");
}

TEST_CASE("all causes are collected, and the error shows them") {
  const Kind& kind = *registry().find_kind("", "v1", "Pod");
  Value object = prepare_create(
      kind, ready(kind, R"({"metadata":{"name":"a","namespace":"d"},"spec":{"restartPolicy":"x"}})"), hooks(), {});
  Error error = invalid_error(kind, "a", validate_create(kind, object, hooks(), {}));
  CHECK(error.message() ==
        "Pod \"a\" is invalid: [spec.containers: Required value, spec.restartPolicy: Unsupported value: "
        "\"x\": supported values: \"Always\", \"OnFailure\", \"Never\"]");
  CHECK(error.causes().size() == 2);
  CHECK(error.causes()[1].reason == "FieldValueNotSupported");
  CHECK(error.kind() == "Pod");
  const Kind& deployment = *registry().find_kind("apps", "v1", "Deployment");
  CHECK(invalid_error(deployment, "x", {{"FieldValueRequired", "spec.a", "Required value"}}).message() ==
        "Deployment.apps \"x\" is invalid: spec.a: Required value");
}

TEST_CASE("an update of a pod may change images and little else") {
  const std::string before = pod_with(R"({"containers":[{"name":"c","image":"i:1"}]})");
  CHECK(updated("", "Pod", before, pod_with(R"({"containers":[{"name":"c","image":"i:2"}]})")) == "");
  std::string text = updated("", "Pod", before, pod_with(R"({"containers":[{"name":"c","image":"i:1"}],"hostNetwork":true})"));
  CHECK(text.starts_with("spec: Forbidden: pod updates may not change fields other than "
                         "`spec.containers[*].image`,`spec.initContainers[*].image`,"));
  CHECK(updated("", "Pod", before, pod_with(R"({"containers":[{"name":"c","image":"i:1"},{"name":"e","image":"i"}]})")) ==
        "spec.containers: Forbidden: pod updates may not add or remove containers\n");
}

TEST_CASE("what is immutable is said to be so") {
  CHECK(updated("", "Secret", R"({"metadata":{"name":"a","namespace":"d"},"type":"x"})",
                R"({"metadata":{"name":"a","namespace":"d"},"type":"y"})") ==
        "type: Invalid value: \"y\": field is immutable\n");
  CHECK(updated("", "ConfigMap", R"({"metadata":{"name":"a","namespace":"d","uid":"1"}})",
                R"({"metadata":{"name":"a","namespace":"d","uid":"2"}})") ==
        "metadata.uid: Invalid value: \"2\": field is immutable\n");
}

TEST_CASE("metadata is checked") {
  CHECK(created("", "ConfigMap", R"({"metadata":{"name":"a","namespace":"d","labels":{"a b":"c"}}})") ==
        "metadata.labels: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', "
        "'_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or "
        "'123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')\n");
  CHECK(created("", "ConfigMap", R"({"metadata":{"name":"a","namespace":"d","finalizers":["x"]}})") ==
        "metadata.finalizers[0]: Invalid value: \"x\": name is neither a standard finalizer name nor is it fully "
        "qualified\n");
  CHECK(created("", "ConfigMap", R"({"metadata":{"name":"a","namespace":"d","ownerReferences":[
            {"apiVersion":"v1","kind":"K","name":"n","uid":"u","controller":true},
            {"apiVersion":"v1","kind":"L","name":"m","uid":"v","controller":true}]}})")
            .ends_with("Only one reference can have Controller set to true. Found \"true\" in references for K/n "
                       "and L/m\n"));
}

TEST_CASE("schedules have five fields") {
  auto schedule = [](std::string_view text) {
    return created("batch", "CronJob",
                   R"({"metadata":{"name":"a","namespace":"d"},"spec":{"schedule":")" + std::string(text) +
                       R"(","jobTemplate":{"spec":{"template":{"spec":{"restartPolicy":"Never",)"
                       R"("containers":[{"name":"c","image":"i"}]}}}}}})");
  };
  CHECK(schedule("*/5 0-3 1,15 jan MON-fri") == "");
  CHECK(schedule("@hourly") == "");
  CHECK(schedule("* * * *") ==
        "spec.schedule: Invalid value: \"* * * *\": expected exactly 5 fields, found 4: [* * * *]\n");
  CHECK(schedule("61 * * * *") ==
        "spec.schedule: Invalid value: \"61 * * * *\": end of range (61) above maximum (59): 61\n");
}

TEST_CASE("services are checked by their type") {
  auto service = [](std::string_view spec) {
    return created("", "Service", R"({"metadata":{"name":"a","namespace":"d"},"spec":)" + std::string(spec) + "}");
  };
  CHECK(service(R"({"ports":[{"port":80}]})") == "");
  CHECK(service("{}") == "spec.ports: Required value\n");
  CHECK(service(R"({"clusterIP":"None"})") == "");
  CHECK(service(R"({"ports":[{"port":80},{"port":81}]})") ==
        "spec.ports[0].name: Required value\nspec.ports[1].name: Required value\n");
  CHECK(service(R"({"ports":[{"port":80,"nodePort":30000}]})") ==
        "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'\n");
  CHECK(service(R"({"type":"NodePort","clusterIP":"None","ports":[{"port":80}]})") ==
        "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services\n");
}

TEST_CASE("a service keeps what it was given when a client leaves it out") {
  const Kind& kind = *registry().find_kind("", "v1", "Service");
  Value before = ready(kind, R"({"metadata":{"name":"a","namespace":"d"},"spec":{"type":"NodePort",
      "clusterIP":"10.43.0.9","clusterIPs":["10.43.0.9"],"ports":[{"port":80,"nodePort":30001}]}})");
  Value after = ready(kind, R"({"metadata":{"name":"a","namespace":"d"},"spec":{"type":"NodePort",
      "ports":[{"port":81}]}})");
  Value prepared = prepare_update(kind, before, after, hooks(), {});
  CHECK(prepared["spec"]["clusterIP"] == "10.43.0.9");
  CHECK(prepared["spec"]["ports"].at(0)["nodePort"] == 30001);
  CHECK(prepared["spec"]["ports"].at(0)["port"] == 81);
}

TEST_CASE("a deployment selects its own pods") {
  auto deployment = [](std::string_view labels) {
    return created("apps", "Deployment",
                   R"({"metadata":{"name":"a","namespace":"d"},"spec":{"selector":{"matchLabels":{"a":"b"}},)"
                   R"("template":{"metadata":{"labels":)" + std::string(labels) +
                       R"(},"spec":{"containers":[{"name":"c","image":"i"}]}}}})");
  };
  CHECK(deployment(R"({"a":"b"})") == "");
  CHECK(deployment(R"({"a":"c"})") ==
        "spec.template.metadata.labels: Invalid value: {\"a\":\"c\"}: `selector` does not match template "
        "`labels`\n");
}

TEST_CASE("jobs, ingresses, budgets, roles, quotas and config maps are checked by their rules") {
  CHECK(created("batch", "Job", R"({"metadata":{"name":"a","namespace":"d"},"spec":{"template":{"spec":{
            "restartPolicy":"Always","containers":[{"name":"c","image":"i"}]}}}})") ==
        "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"\n");
  CHECK(created("networking.k8s.io", "Ingress", R"({"metadata":{"name":"a","namespace":"d"},"spec":{}})") ==
        "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified\n");
  CHECK(created("policy", "PodDisruptionBudget",
                R"({"metadata":{"name":"a","namespace":"d"},"spec":{"minAvailable":"101%"}})") ==
        "spec.minAvailable: Invalid value: \"101%\": must not be greater than 100%\n");
  CHECK(created("rbac.authorization.k8s.io", "Role",
                R"({"metadata":{"name":"a:b","namespace":"d"},"rules":[{"apiGroups":[""],"resources":["pods"]}]})") ==
        "rules[0].verbs: Required value: verbs must contain at least one value\n");
  CHECK(created("", "ResourceQuota", R"({"metadata":{"name":"a","namespace":"d"},"spec":{"hard":{"nope":"1"}}})") ==
        "spec.hard[nope]: Invalid value: nope: must be a standard resource type or fully qualified\n"
        "spec.hard[nope]: Invalid value: nope: must be a standard resource for quota\n");
  CHECK(created("", "ConfigMap", R"({"metadata":{"name":"a","namespace":"d"},"data":{"a b":"c"}})") ==
        "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', "
        "'_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
        "'[-._a-zA-Z0-9]+')\n");
}
