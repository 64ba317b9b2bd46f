#include "plan/oci/cgroup_path.h"

#include <catch2/catch_test_macros.hpp>

namespace orch::plan::oci {
namespace {

std::string path_of(std::string_view path, bool systemd) {
  auto result = cgroup_path(path, systemd, "web");
  return result.ok() ? *result : "error: " + result.error().message();
}

TEST_CASE("a cgroup's path of cgroupfs is below the mount, whatever it looks like") {
  CHECK(path_of("/a/b", false) == "/a/b");
  CHECK(path_of("a//b/./", false) == "/a/b");
  CHECK(path_of("", false) == "/web");
  CHECK(path_of("/a/../../b", false) == R"(error: linux.cgroupsPath: "/a/../../b" leads upwards)");
}

TEST_CASE("systemd's form of a cgroup's path is the directory that systemd would use") {
  CHECK(path_of("machine-a-b.slice:crio:x", true) == "/machine.slice/machine-a.slice/machine-a-b.slice/crio-x.scope");
  CHECK(path_of("", true) == "/system.slice/runc-web.scope");
  CHECK(path_of("::", true) == "/system.slice/web.scope");
  CHECK(path_of("-.slice:p:pod.slice", true) == "/pod.slice");
  CHECK(path_of("/a/b", true) ==
        R"(error: linux.cgroupsPath: "/a/b" is not of the form slice:prefix:name, which --systemd-cgroup asks for)");
  CHECK(path_of("a--b.slice:p:n", true) == R"(error: linux.cgroupsPath: "a--b.slice" is not the name of a slice)");
}

}  // namespace
}  // namespace orch::plan::oci
