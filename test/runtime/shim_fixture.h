#pragma once
// A runtime of the test's own: directory, cgroup, one layer with busybox. run() checks that nothing is left of it.

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "data/json.h"
#include "loop/files.h"
#include "loop/timeout.h"
#include "runtime/cgroups.h"
#include "runtime/shim_runtime.h"

namespace orch::runtime::test {

namespace fs = std::filesystem;
using loop::Task;

// A directory and a cgroup of the test's own, both gone at its end; one layer with busybox under its names.
struct Place {
  Place() : root(fs::temp_directory_path() / ("orch-runtime-" + std::to_string(::getpid()))) {
    fs::create_directories(root / "layer/bin");
    fs::create_directories(root / "layer/etc");
    fs::copy_file("/bin/busybox", root / "layer/bin/busybox");
    for (const char* name : {"sh", "sleep", "echo", "cat", "ls", "true", "seq", "tty", "id", "hostname", "kill", "nc", "head", "dd"}) {
      fs::create_symlink("busybox", root / "layer/bin" / name);
    }
    options.run_dir = (root / "run").string();
    options.containers_dir = (root / "containers").string();
    options.cgroup = "orch-test-" + std::to_string(::getpid());
  }
  ~Place() {
    if (auto mount = open_cgroup_mount(); mount.ok()) {
      for (int i = 0; i < 200 && !remove_cgroup(mount->path + "/" + options.cgroup); ++i) ::usleep(5000);
    }
    fs::remove_all(root);
  }
  fs::path root;
  RuntimeOptions options;
};

inline bool can_run() { return ::geteuid() == 0 && fs::exists("/bin/busybox") && open_cgroup_mount().ok(); }

// Waits until the runtime tells something that makes `holds` true.
inline Task<void> until(loop::UvLoop& loop, ShimRuntime& runtime, std::function<bool()> holds) {
  loop::Event changed(loop);
  runtime.on_change([&changed](const std::string&) { changed.set(); });
  while (!holds()) {
    changed.reset();
    co_await changed.wait();
  }
  runtime.on_change({});
}

inline SandboxSpec sandbox_spec(const std::string& uid) {
  SandboxSpec spec;
  spec.pod_uid = uid;
  spec.ns = "default";
  spec.name = "pod-" + uid;
  spec.hostname = "the-pod";
  spec.cgroup = "burstable/pod" + uid;
  return spec;
}

inline Value config_of(const std::vector<std::string>& arguments, bool terminal = false) {
  auto parsed = parse_json(R"({
    "ociVersion": "1.2.0",
    "process": {"cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["PATH=/bin", "HELLO=world"], "noNewPrivileges": true,
      "capabilities": {"bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"]},
      "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 1024}]},
    "root": {"path": "rootfs"},
    "mounts": [
      {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
      {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
      {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
      {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "noexec", "nodev", "mode=1777"]},
      {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
      {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}
    ],
    "linux": {"maskedPaths": ["/proc/kcore", "/proc/acpi", "/proc/nowhere"], "readonlyPaths": ["/proc/sys", "/proc/bus"]}
  })");
  REQUIRE(parsed.ok());
  std::vector<Value> list(arguments.begin(), arguments.end());
  Value config = parsed->with_path({"process", "args"}, Value::list(std::move(list)));
  return config.with_path({"process", "terminal"}, Value(terminal));
}

inline ContainerSpec container_spec(const Place& place, const std::string& uid, const std::string& id,
                             const std::vector<std::string>& arguments) {
  ContainerSpec spec;
  spec.pod_uid = uid;
  spec.id = id;
  spec.name = "main";
  spec.config = config_of(arguments);
  spec.layers = {(place.root / "layer").string()};
  spec.log_path = (place.root / "logs" / id / "0.log").string();
  spec.image_id = "sha256:image";
  return spec;
}

inline std::string log_of(const Place& place, const std::string& id) {
  std::ifstream file(place.root / "logs" / id / "0.log");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The text of a log's lines, without times.
inline std::string plain_log(const Place& place, const std::string& id) {
  std::stringstream lines(log_of(place, id));
  std::string text;
  for (std::string line; std::getline(lines, line);) text += line.substr(line.find(' ') + 1) + "\n";
  return text;
}

inline void run(const std::function<Task<void>(loop::UvLoop&, ShimRuntime&, Place&)>& body) {
  if (!can_run()) SKIP("needs root, cgroup v2 and a static busybox");
  Place place;
  loop::UvLoop loop;
  auto runtime = ShimRuntime::open(loop, place.options, Logger::discard());
  REQUIRE(runtime.ok());
  auto limited = loop::with_timeout(loop, body(loop, **runtime, place), 60s);
  Result<void> ended = loop.run(std::move(limited));
  INFO((ended.ok() ? "" : ended.error().message()));
  CHECK(ended.ok());
  for (const SandboxState& state : (*runtime)->list()) {
    Result<void> removed = loop.run((*runtime)->remove_sandbox(state.pod_uid));
    CHECK(removed.ok());
  }
  CHECK(fs::is_empty(place.root / "run/pods"));
  CHECK(fs::is_empty(place.root / "containers"));
}

inline bool exited(const ShimRuntime& runtime, const std::string& uid, const std::string& id) {
  auto state = runtime.find(uid);
  if (!state) return false;
  for (const ContainerState& container : state->containers) {
    if (container.id == id) return container.phase == ContainerPhase::exited;
  }
  return false;
}

inline ContainerState state_of(const ShimRuntime& runtime, const std::string& uid, const std::string& id) {
  auto state = runtime.find(uid);
  REQUIRE(state.has_value());
  for (const ContainerState& container : state->containers) {
    if (container.id == id) return container;
  }
  FAIL("no such container");
  return {};
}

}  // namespace orch::runtime::test
