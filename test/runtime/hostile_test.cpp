// What containers do that mean harm, or are merely careless: the node and the other pods do not notice.

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>

#include "runtime/shim_fixture.h"

using namespace orch;
using namespace orch::runtime;
using namespace orch::runtime::test;

namespace {

size_t open_descriptors(int pid) {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) ++count;
  return count;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::stringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

Task<void> wait_for_exit(loop::UvLoop& loop, ShimRuntime& runtime, std::string uid, std::string id) {
  std::function<bool()> done = [&runtime, uid, id] { return exited(runtime, uid, id); };
  co_await until(loop, runtime, done);
}

Value with_mount(const Value& config, const std::string& source, const std::string& destination) {
  std::vector<Value> mounts(config["mounts"].items().begin(), config["mounts"].items().end());
  Value options = Value::list({Value("rbind"), Value("rw")});
  mounts.push_back(Value::object({{"destination", destination}, {"type", "bind"}, {"source", source}, {"options", options}}));
  return config.with("mounts", Value::list(std::move(mounts)));
}

Task<void> finds_no_descriptors(loop::UvLoop& loop, ShimRuntime& runtime, Place& place) {
  co_await runtime.create_sandbox(sandbox_spec("fds"));
  // Number 3 is the directory that ls reads.
  ContainerSpec listing = container_spec(place, "fds", "c1", {"ls", "/proc/self/fd"});
  co_await runtime.start_container(listing);
  co_await wait_for_exit(loop, runtime, "fds", "c1");
  CHECK(plain_log(place, "c1") == "stdout F 0\nstdout F 1\nstdout F 2\nstdout F 3\n");

  ContainerSpec sleeper = container_spec(place, "fds", "c2", {"sleep", "1000"});
  co_await runtime.start_container(sleeper);
  std::vector<std::string> list = {"ls", "/proc/self/fd"};
  CommandOutput output = co_await runtime.exec_and_wait("fds", "c2", list, 10s, 1000);
  CHECK(output.text == "0\n1\n2\n3\n");
}

// CVE-2024-21626: a directory of the host that its parent has open.
Task<void> works_nowhere_outside(loop::UvLoop&, ShimRuntime& runtime, Place& place) {
  co_await runtime.create_sandbox(sandbox_spec("cwd"));
  for (int fd = 3; fd < 24; ++fd) {
    for (const std::string below : {"", "/../../.."}) {
      const std::string directory = "/proc/self/fd/" + std::to_string(fd) + below;
      ContainerSpec spec = container_spec(place, "cwd", "c" + std::to_string(fd) + (below.empty() ? "" : "b"), {"true"});
      spec.config = spec.config.with_path({"process", "cwd"}, Value(directory));
      ContainerState state = co_await runtime.start_container(spec);
      INFO(directory);
      CHECK(state.start_error != "");
      co_await runtime.remove_container("cwd", spec.id);  // so that the numbers stay what they were
    }
  }
}

// CVE-2019-19921: masked and read-only paths would be somewhere else.
Task<void> moves_no_proc(loop::UvLoop&, ShimRuntime& runtime, Place& place) {
  co_await runtime.create_sandbox(sandbox_spec("proc"));
  const fs::path layer = place.root / "evil";
  fs::create_directories(layer / "elsewhere");
  fs::create_symlink("/elsewhere", layer / "proc");
  ContainerSpec spec = container_spec(place, "proc", "c1", {"true"});
  spec.layers.insert(spec.layers.begin(), layer.string());
  ContainerState state = co_await runtime.start_container(spec);
  CHECK(state.exit_code == 128);
  CHECK(state.start_error.find("must be mounted on an ordinary directory") != std::string::npos);
}

// CVE-2025-31133: what a path is masked with would be a file that somebody else chose.
Task<void> masks_with_nothing_else(loop::UvLoop&, ShimRuntime& runtime, Place& place) {
  co_await runtime.create_sandbox(sandbox_spec("mask"));
  fs::create_directories(place.root / "dev");
  fs::create_symlink("/proc/sys/kernel/core_pattern", place.root / "dev/null");
  ContainerSpec spec = container_spec(place, "mask", "c1", {"true"});
  std::vector<Value> mounts;
  for (const Value& mount : spec.config["mounts"].items()) {
    if (!mount["destination"].as_string().starts_with("/dev")) mounts.push_back(mount);
  }
  spec.config = with_mount(spec.config.with("mounts", Value::list(std::move(mounts))), (place.root / "dev").string(), "/dev");
  spec.config = spec.config.with_path({"linux", "maskedPaths"}, Value::list({Value("/proc/meminfo")}));
  ContainerState state = co_await runtime.start_container(spec);
  CHECK(state.exit_code == 128);
  CHECK(state.start_error.find("/dev/null of the container") != std::string::npos);
}

// A link of the image towards the host's own directory: the target is made inside.
Task<void> climbs_out_of_no_volume(loop::UvLoop& loop, ShimRuntime& runtime, Place& place) {
  co_await runtime.create_sandbox(sandbox_spec("link"));
  const fs::path outside = place.root / "outside", volume = place.root / "volume", layer = place.root / "links";
  for (const fs::path& path : {outside, volume, layer}) fs::create_directories(path);
  std::ofstream(volume / "file") << "inside";
  fs::create_symlink(outside, layer / "absolute");
  fs::create_symlink("../../../../../../../.." + outside.string(), layer / "relative");
  ContainerSpec spec = container_spec(place, "link", "c1", {"cat", "/absolute/a/file", "/relative/r/file"});
  spec.layers.insert(spec.layers.begin(), layer.string());
  spec.config = with_mount(spec.config, volume.string(), "/absolute/a");
  spec.config = with_mount(spec.config, volume.string(), "/relative/r");
  ContainerState state = co_await runtime.start_container(spec);
  CHECK(state.start_error == "");
  co_await wait_for_exit(loop, runtime, "link", "c1");
  CHECK(plain_log(place, "c1") == "stdout F insideinside\n");
  CHECK(fs::is_empty(outside));
}

Task<void> ignores_sigterm(loop::UvLoop& loop, ShimRuntime& runtime, Place& place) {
  co_await runtime.create_sandbox(sandbox_spec("term"));
  ContainerSpec spec = container_spec(place, "term", "c1", {"sh", "-c", "trap '' TERM; echo > /ready; while true; do sleep 1000; done"});
  co_await runtime.start_container(spec);
  std::vector<std::string> ready = {"sh", "-c", "until test -e /ready; do sleep 0.01; done"};
  co_await runtime.exec_and_wait("term", "c1", ready, 10s, 1000);
  co_await runtime.kill_container("term", "c1", SIGTERM);
  std::vector<std::string> echo = {"echo", "still"};
  CommandOutput output = co_await runtime.exec_and_wait("term", "c1", echo, 10s, 1000);
  CHECK(output.text == "still\n");
  co_await runtime.kill_container("term", "c1", SIGKILL);
  co_await wait_for_exit(loop, runtime, "term", "c1");
  ContainerState state = state_of(runtime, "term", "c1");
  CHECK(state.exit_code == 137);
  CHECK(state.signal == SIGKILL);
}

// As many as a fork bomb gets to within its limit, all ignoring what can be ignored: one kill ends them.
Task<void> multiplies(loop::UvLoop& loop, ShimRuntime& runtime, Place& place) {
  SandboxSpec shared = sandbox_spec("bomb");
  shared.share_process_namespace = true;  // so that nothing dies of the first process's end
  co_await runtime.create_sandbox(shared);
  ContainerSpec spec = container_spec(place, "bomb", "c1",
      {"sh", "-c", "trap '' TERM HUP; for i in $(seq 1 150); do busybox setsid sleep 1000 & done; echo > /ready; wait"});
  co_await runtime.start_container(spec);
  std::vector<std::string> ready = {"sh", "-c", "until test -e /ready; do sleep 0.05; done"};
  co_await runtime.exec_and_wait("bomb", "c1", ready, 30s, 1000);
  ResourceUsage usage = co_await runtime.usage("bomb", "c1");
  CHECK(usage.processes.value_or(0) > 100);
  co_await runtime.kill_container("bomb", "c1", SIGKILL);
  co_await wait_for_exit(loop, runtime, "bomb", "c1");
  co_await runtime.remove_container("bomb", "c1");
  const std::string cgroup = runtime.node_cgroup() + "/burstable/podbomb/c1";
  for (int i = 0; i < 200 && !remove_cgroup(cgroup); ++i) co_await loop::sleep(loop, 10ms);
  CHECK_FALSE(fs::exists(cgroup));
}

// The first process ends, another of it holds the log's pipe open in a pid namespace that lives on.
Task<void> leaves_a_child_behind(loop::UvLoop& loop, ShimRuntime& runtime, Place& place) {
  SandboxSpec shared = sandbox_spec("orphan");
  shared.share_process_namespace = true;
  co_await runtime.create_sandbox(shared);
  ContainerSpec spec = container_spec(place, "orphan", "c1", {"sh", "-c", "busybox setsid sleep 1000 & echo last; exit 5"});
  co_await runtime.start_container(spec);
  co_await wait_for_exit(loop, runtime, "orphan", "c1");
  CHECK(state_of(runtime, "orphan", "c1").exit_code == 5);
  CHECK(plain_log(place, "c1") == "stdout F last\n");
  const std::string cgroup = runtime.node_cgroup() + "/burstable/podorphan/c1";
  bool empty = false;
  for (int i = 0; i < 200 && !empty; ++i) {
    auto processes = loop::read_file_now(cgroup + "/cgroup.procs");
    empty = !processes.ok() || processes->empty();
    if (!empty) co_await loop::sleep(loop, 10ms);
  }
  CHECK(empty);
}

Task<void> dies_at_once(loop::UvLoop& loop, ShimRuntime& runtime, Place& place) {
  SandboxState sandbox = co_await runtime.create_sandbox(sandbox_spec("dies"));
  const size_t before = open_descriptors(sandbox.shim_pid);
  for (int i = 0; i < 20; ++i) {
    const std::string id = "c" + std::to_string(i);
    ContainerSpec spec = container_spec(place, "dies", id, {"sh", "-c", "echo bye; exit " + std::to_string(i)});
    co_await runtime.start_container(spec);
    co_await wait_for_exit(loop, runtime, "dies", id);
    CHECK(state_of(runtime, "dies", id).exit_code == i);
    CHECK(plain_log(place, id) == "stdout F bye\n");
    co_await runtime.remove_container("dies", id);
  }
  CHECK(open_descriptors(sandbox.shim_pid) == before);
  CHECK(runtime.find("dies")->containers.empty());
}

Task<void> loses_no_line(loop::UvLoop& loop, ShimRuntime& runtime, Place& place) {
  co_await runtime.create_sandbox(sandbox_spec("lines"));
  ContainerSpec spec = container_spec(place, "lines", "c1", {"seq", "1", "100000"});
  spec.log_max_bytes = 1 << 30;
  co_await runtime.start_container(spec);
  co_await wait_for_exit(loop, runtime, "lines", "c1");
  const std::vector<std::string> lines = lines_of(plain_log(place, "c1"));
  CHECK(lines.size() == 100000);
  size_t wrong = 0;
  for (size_t i = 0; i < lines.size(); ++i) wrong += lines[i] != "stdout F " + std::to_string(i + 1);
  CHECK(wrong == 0);
}

Task<void> is_killed_from_outside(loop::UvLoop& loop, ShimRuntime& runtime, Place& place) {
  co_await runtime.create_sandbox(sandbox_spec("killed"));
  ContainerSpec spec = container_spec(place, "killed", "c1", {"sleep", "1000"});
  ContainerState started = co_await runtime.start_container(spec);
  ::kill(started.pid, SIGKILL);
  co_await wait_for_exit(loop, runtime, "killed", "c1");
  CHECK(state_of(runtime, "killed", "c1").exit_code == 137);
  CHECK(runtime.find("killed")->alive);
}

Task<void> makes_its_working_directory(loop::UvLoop& loop, ShimRuntime& runtime, Place& place) {
  co_await runtime.create_sandbox(sandbox_spec("wd"));
  ContainerSpec spec = container_spec(place, "wd", "c1", {"sh", "-c", "busybox pwd; id -u"});
  spec.config = spec.config.with_path({"process", "cwd"}, Value("/srv/app"));
  spec.config = spec.config.with_path({"process", "user"}, Value::object({{"uid", 1000}, {"gid", 1000}}));
  ContainerState state = co_await runtime.start_container(spec);
  CHECK(state.start_error == "");
  co_await wait_for_exit(loop, runtime, "wd", "c1");
  CHECK(plain_log(place, "c1") == "stdout F /srv/app\nstdout F 1000\n");
}

// The descriptor of ours that is connected to a socket's path.
int connected_to(const std::string& path) {
  for (int fd = 3; fd < 1024; ++fd) {
    sockaddr_un address{};
    socklen_t size = sizeof address;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 || address.sun_family != AF_UNIX) continue;
    if (path == address.sun_path) return fd;
  }
  return -1;
}

Task<void> loses_its_connection(loop::UvLoop& loop, ShimRuntime& runtime, Place& place) {
  co_await runtime.create_sandbox(sandbox_spec("lost"));
  ContainerSpec spec = container_spec(place, "lost", "c1", {"sleep", "1000"});
  ContainerState started = co_await runtime.start_container(spec);
  const int fd = connected_to((place.root / "run/pods/lost/shim.sock").string());
  REQUIRE(fd >= 0);
  ::shutdown(fd, SHUT_RDWR);
  ::kill(started.pid, SIGKILL);  // told to nobody
  co_await wait_for_exit(loop, runtime, "lost", "c1");
  CHECK(state_of(runtime, "lost", "c1").exit_code == 137);
  ContainerSpec again = container_spec(place, "lost", "c2", {"sleep", "1000"});
  ContainerState alive = co_await runtime.start_container(again);
  CHECK(alive.phase == ContainerPhase::running);
}

// The process died after the shim was started, before it wrote down its pid.
Task<void> was_half_made(loop::UvLoop& loop, ShimRuntime& first, Place& place) {
  SandboxState made = co_await first.create_sandbox(sandbox_spec("half"));
  const fs::path file = place.root / "run/pods/half/sandbox.json";
  auto text = loop::read_file_now(file.string());
  REQUIRE(text.ok());
  auto record = parse_json(*text);
  REQUIRE(record.ok());
  std::ofstream(file) << format_json(record->with("pid", 0));
  auto second = ShimRuntime::open(loop, place.options, Logger::discard());
  REQUIRE(second.ok());
  co_await (*second)->adopt();
  std::optional<SandboxState> found = (*second)->find("half");
  REQUIRE(found.has_value());
  CHECK(found->alive);
  CHECK(found->shim_pid == made.shim_pid);
  CHECK(found->network_namespace == made.network_namespace);
}

// Kilobytes of memory that are a process's own share (proc_pid_smaps_rollup(5)).
int64_t pss_of(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
  for (std::string word; file >> word;) {
    int64_t value = 0;
    if (word == "Pss:" && file >> value) return value;
  }
  return -1;
}

Task<void> is_small(loop::UvLoop&, ShimRuntime& runtime, Place& place) {
  constexpr int kPods = 50;
  for (int i = 0; i < kPods; ++i) {
    const std::string uid = "small" + std::to_string(i);
    co_await runtime.create_sandbox(sandbox_spec(uid));
    ContainerSpec spec = container_spec(place, uid, uid + "c", {"sleep", "1000"});
    co_await runtime.start_container(spec);
  }
  int64_t sum = 0, most = 0;
  for (const SandboxState& state : runtime.list()) {
    const int64_t pss = pss_of(state.shim_pid);
    CHECK(pss > 0);
    sum += pss;
    most = std::max(most, pss);
  }
  UNSCOPED_INFO("PSS of a shim: " << sum / kPods << " kB, the largest " << most << " kB");
  CHECK(sum / kPods <= 150);
}

}  // namespace

TEST_CASE("A program and an exec find only their three descriptors") { run(finds_no_descriptors); }
TEST_CASE("A working directory through a descriptor of the parent's is refused") { run(works_nowhere_outside); }
TEST_CASE("An image in which /proc is a symbolic link does not start") { run(moves_no_proc); }
TEST_CASE("A path is masked with the null device only") { run(masks_with_nothing_else); }
TEST_CASE("Targets of mounts are made inside the root, wherever symbolic links point") { run(climbs_out_of_no_volume); }
TEST_CASE("A container that ignores SIGTERM runs until SIGKILL") { run(ignores_sigterm); }
TEST_CASE("A container of many processes ends with one kill, and its cgroup goes") { run(multiplies); }
TEST_CASE("A child that outlives its container's first process does not hold up its end") { run(leaves_a_child_behind); }
TEST_CASE("Containers that die at once leave their code, their log and no descriptor in the shim") { run(dies_at_once); }
TEST_CASE("Every line of a flood is in the log, in order") { run(loses_no_line); }
TEST_CASE("kill -9 of a container's process is its exit, and the pod lives on") { run(is_killed_from_outside); }
TEST_CASE("A missing working directory is made, also for a user who could not") { run(makes_its_working_directory); }
TEST_CASE("A lost connection to a shim is made again, and what was missed is asked for") { run(loses_its_connection); }
TEST_CASE("A pod whose making was interrupted is found with its shim") { run(was_half_made); }
TEST_CASE("A shim of fifty needs no more than 150 kB") { run(is_small); }
