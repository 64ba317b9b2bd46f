// Golden cases of what a pod is made of. Input: YAML documents; a Pod, and what it refers to (ConfigMap, Secret, Service); a
// document `image: {...}` is the configuration of every image. Of several containers the first is shown.

#include <catch2/catch_test_macros.hpp>

#include "data/json.h"
#include "data/yaml.h"
#include "plan/pod/container_config.h"
#include "plan/pod/container_resources.h"
#include "plan/pod/resolv_conf.h"
#include "plan/pod/volume_contents.h"
#include "support/golden.h"

using namespace orch;
using namespace orch::plan::pod;
using test::GoldenCase;

namespace {

struct World {
  Value pod, image;
  ResolvedReferences references;
  Surroundings around;
  NodePaths paths{"/data/agent"};
  Accounts accounts{"root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/srv:/bin/false\n", "root:x:0:\nweb:x:34:\nextra:x:99:web\n"};

  explicit World(const GoldenCase& golden) {
    const auto documents = parse_yaml(golden.input).value();
    for (const YamlDocument& document : documents) add(document.value);
    around.pod_ips = {"10.42.0.9"};
    around.host_ips = {"192.0.2.1"};
    around.allocatable = Value::object({{"cpu", "4"}, {"memory", "8Gi"}});
    references.tokens["api/token"] = {"aaa.bbb.ccc", Instant{}, ""};
  }
  void add(const Value& object) {
    const std::string name(object["metadata"]["name"].as_string());
    std::string_view kind = object["kind"].as_string();
    if (object.has("image")) image = object["image"];
    if (kind == "ConfigMap") references.config_maps[name] = object;
    if (kind == "Secret") references.secrets[name] = object;
    if (kind == "Service") references.services.push_back(object);
    if (kind != "Pod") return;
    pod = object.with_path({"metadata", "uid"}, Value("u-1"));
    if (!pod["metadata"].has("namespace")) pod = pod.with_path({"metadata", "namespace"}, Value("shop"));
  }
  PodView view() const { return PodView(pod); }
};

std::string octal(unsigned mode) {
  std::string text;
  for (int shift = 9; shift >= 0; shift -= 3) text += static_cast<char>('0' + ((mode >> shift) & 7));
  return text;
}

std::string environment_text(const GoldenCase& golden) {
  World world(golden);
  PodView pod = world.view();
  auto environment = container_environment(pod, pod.containers().front(), world.references, world.around);
  if (!environment.ok()) return "error: " + environment.error().message();
  std::string text;
  for (const auto& [name, value] : *environment) text += name + "=" + value + "\n";
  return text;
}

std::string volumes_text(const GoldenCase& golden) {
  World world(golden);
  PodView pod = world.view();
  std::string text;
  for (const Value& volume : pod.spec()["volumes"].items()) {
    auto files = volume_contents(pod, volume, world.references, world.around);
    text += std::string(volume["name"].as_string()) + ":" + (files.ok() ? "" : " error: " + files.error().message()) + "\n";
    if (!files.ok()) continue;
    for (const VolumeFile& file : *files) text += "  " + octal(file.mode) + " " + file.path + " " + format_json(Value(file.content)) + "\n";
  }
  return text;
}

std::string config_text(const GoldenCase& golden) {
  World world(golden);
  PodView pod = world.view();
  ContainerConfigRequest request{pod, pod.containers().front(), world.references, world.around, world.paths, world.image, world.accounts, 2};
  auto made = make_container_config(request);
  if (!made.ok()) return "error: " + made.error().message();
  std::string seccomp = made->seccomp == Seccomp::unconfined        ? "unconfined"
                        : made->seccomp == Seccomp::runtime_default ? "runtime default"
                                                                    : "file " + made->seccomp_file;
  return "# seccomp: " + seccomp + "\n# pod: " + format_json(pod_resources(pod)) + "\n" + format_yaml(made->config);
}

std::string names_text(const GoldenCase& golden) {
  World world(golden);
  PodView pod = world.view();
  DnsSettings dns{"10.43.0.10", "cluster.local", "nameserver 192.0.2.53\nsearch example.net\noptions edns0\n"};
  return "--- resolv.conf\n" + resolv_conf(pod, dns) + "--- hosts\n" +
         hosts_file(pod, world.around.pod_ips, "cluster.local", "127.0.0.1 localhost\n192.0.2.1 node\n");
}

}  // namespace

TEST_CASE("environment of containers") { test::check_golden("plan/pod/golden/environment.txt", environment_text); }
TEST_CASE("contents of volumes") { test::check_golden("plan/pod/golden/volumes.txt", volumes_text); }
TEST_CASE("OCI configurations of containers") { test::check_golden("plan/pod/golden/config.txt", config_text); }
TEST_CASE("resolv.conf and hosts of pods") { test::check_golden("plan/pod/golden/names.txt", names_text); }
