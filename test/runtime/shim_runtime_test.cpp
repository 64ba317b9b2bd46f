#include "runtime/shim_runtime.h"

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

using namespace orch;
using namespace orch::runtime;
namespace fs = std::filesystem;
using loop::Task;

namespace {

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

bool can_run() { return ::geteuid() == 0 && fs::exists("/bin/busybox") && open_cgroup_mount().ok(); }

// Waits until the runtime tells something that makes `holds` true.
Task<void> until(loop::UvLoop& loop, ShimRuntime& runtime, std::function<bool()> holds) {
  loop::Event changed(loop);
  runtime.on_change([&changed](const std::string&) { changed.set(); });
  while (!holds()) {
    changed.reset();
    co_await changed.wait();
  }
  runtime.on_change({});
}

SandboxSpec sandbox_spec(const std::string& uid) {
  SandboxSpec spec;
  spec.pod_uid = uid;
  spec.ns = "default";
  spec.name = "pod-" + uid;
  spec.hostname = "the-pod";
  spec.cgroup = "burstable/pod" + uid;
  return spec;
}

Value config_of(const std::vector<std::string>& arguments, bool terminal = false) {
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

struct Started {
  std::string uid, id;
};

ContainerSpec container_spec(const Place& place, const std::string& uid, const std::string& id,
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

std::string log_of(const Place& place, const std::string& id) {
  std::ifstream file(place.root / "logs" / id / "0.log");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The text of a log's lines, without times.
std::string plain_log(const Place& place, const std::string& id) {
  std::stringstream lines(log_of(place, id));
  std::string text;
  for (std::string line; std::getline(lines, line);) text += line.substr(line.find(' ') + 1) + "\n";
  return text;
}

void run(const std::function<Task<void>(loop::UvLoop&, ShimRuntime&, Place&)>& body) {
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

bool exited(const ShimRuntime& runtime, const std::string& uid, const std::string& id) {
  auto state = runtime.find(uid);
  if (!state) return false;
  for (const ContainerState& container : state->containers) {
    if (container.id == id) return container.phase == ContainerPhase::exited;
  }
  return false;
}

ContainerState state_of(const ShimRuntime& runtime, const std::string& uid, const std::string& id) {
  auto state = runtime.find(uid);
  REQUIRE(state.has_value());
  for (const ContainerState& container : state->containers) {
    if (container.id == id) return container;
  }
  FAIL("no such container");
  return {};
}

Task<void> runs_and_logs(loop::UvLoop& loop, ShimRuntime& runtime, Place& place) {
  SandboxState sandbox = co_await runtime.create_sandbox(sandbox_spec("one"));
  CHECK(sandbox.alive);
  CHECK(fs::exists(sandbox.network_namespace));
  ContainerSpec spec = container_spec(place, "one", "c1",
      {"sh", "-c", "echo $HELLO; hostname; echo oops >&2; printf unfinished; test -e /proc/self/fd/7 && echo leaked; exit 3"});
  ContainerState started = co_await runtime.start_container(spec);
  CHECK(started.start_error == "");
  std::function<bool()> done = [&runtime] { return exited(runtime, "one", "c1"); };
  co_await until(loop, runtime, done);
  ContainerState state = state_of(runtime, "one", "c1");
  CHECK(state.exit_code == 3);
  CHECK(state.image_id == "sha256:image");
  CHECK(state.started_at <= state.finished_at);
  const std::string log = plain_log(place, "c1");
  CHECK(log.find("stdout F world\n") != std::string::npos);
  CHECK(log.find("stdout F the-pod\n") != std::string::npos);
  CHECK(log.find("stderr F oops\n") != std::string::npos);
  CHECK(log.find("stdout F unfinished\n") != std::string::npos);
  CHECK(log.find("leaked") == std::string::npos);
}

Task<void> cannot_start(loop::UvLoop&, ShimRuntime& runtime, Place& place) {
  co_await runtime.create_sandbox(sandbox_spec("two"));
  ContainerSpec spec = container_spec(place, "two", "c1", {"nope"});
  ContainerState missing = co_await runtime.start_container(spec);
  CHECK(missing.phase == ContainerPhase::exited);
  CHECK(missing.exit_code == 127);
  CHECK(missing.start_error == "exec: \"nope\": executable file not found in $PATH");
  ContainerSpec directory = container_spec(place, "two", "c2", {"/etc"});
  ContainerState refused = co_await runtime.start_container(directory);
  CHECK(refused.exit_code == 126);
  CHECK(refused.start_error == "exec: \"/etc\": permission denied");
}

Task<void> execs(loop::UvLoop&, ShimRuntime& runtime, Place& place) {
  co_await runtime.create_sandbox(sandbox_spec("three"));
  ContainerSpec spec = container_spec(place, "three", "c1", {"sleep", "1000"});
  co_await runtime.start_container(spec);
  std::vector<std::string> arguments = {"sh", "-c", "echo out; echo err >&2; exit 7"};
  CommandOutput output = co_await runtime.exec_and_wait("three", "c1", arguments, 10s, 1000);
  CHECK(output.exit_code == 7);
  CHECK((output.text == "out\nerr\n" || output.text == "err\nout\n"));

  CommandRequest cat;
  cat.arguments = {"cat"};
  cat.input = true;
  std::unique_ptr<CommandSession> session = co_await runtime.exec("three", "c1", cat);
  co_await session->write("through the pipe");
  co_await session->close_input();
  CommandSession::Piece piece = co_await session->read();
  CHECK(piece.bytes == "through the pipe");
  int code = co_await session->wait();
  CHECK(code == 0);

  CommandRequest terminal;
  terminal.arguments = {"sh", "-c", "test -t 0 && test -t 1 && echo yes"};
  terminal.terminal = true;
  session = co_await runtime.exec("three", "c1", terminal);
  piece = co_await session->read();
  CHECK(piece.bytes == "yes\r\n");

  std::vector<std::string> slow = {"sleep", "100"};
  Result<CommandOutput> late = co_await runtime.exec_and_wait("three", "c1", slow, 50ms, 1000).result();
  CHECK(!late.ok());
  if (!late.ok()) CHECK(late.error().is(Code::timeout));
  std::vector<std::string> nope = {"nope"};
  Result<CommandOutput> missing = co_await runtime.exec_and_wait("three", "c1", nope, 10s, 1000).result();
  CHECK(!missing.ok());
}

Task<void> is_adopted(loop::UvLoop& loop, ShimRuntime& first, Place& place) {
  co_await first.create_sandbox(sandbox_spec("four"));
  ContainerSpec spec = container_spec(place, "four", "c1", {"sh", "-c", "echo begun; exec sleep 1000"});
  ContainerState before = co_await first.start_container(spec);
  auto opened = ShimRuntime::open(loop, place.options, Logger::discard());
  CHECK(opened.ok());
  ShimRuntime& second = **opened;
  co_await second.adopt();
  ContainerState after = state_of(second, "four", "c1");
  CHECK(after.pid == before.pid);
  CHECK(after.phase == ContainerPhase::running);
  std::vector<std::string> arguments = {"sh", "-c", "echo $HELLO"};
  CommandOutput output = co_await second.exec_and_wait("four", "c1", arguments, 10s, 1000);
  CHECK(output.text == "world\n");

  // Its death is seen by both; then the shim's.
  co_await second.kill_container("four", "c1", SIGKILL);
  std::function<bool()> gone = [&second] { return exited(second, "four", "c1"); };
  co_await until(loop, second, gone);
  CHECK(state_of(second, "four", "c1").exit_code == 137);
  ContainerSpec again = container_spec(place, "four", "c2", {"sleep", "1000"});
  ContainerState alive = co_await second.start_container(again);
  ::kill(second.find("four")->shim_pid, SIGKILL);
  std::function<bool()> dead = [&second] { return !second.find("four")->alive; };
  co_await until(loop, second, dead);
  CHECK(state_of(second, "four", "c2").exit_code == 137);
  co_await second.remove_sandbox("four");
  // A zombie at most, which has no program: who inherits it decides when it goes.
  std::error_code error;
  CHECK(fs::read_symlink("/proc/" + std::to_string(alive.pid) + "/exe", error).empty());
  CHECK(second.list().empty());
}

Task<void> floods_the_log(loop::UvLoop& loop, ShimRuntime& runtime, Place& place) {
  co_await runtime.create_sandbox(sandbox_spec("five"));
  ContainerSpec spec = container_spec(place, "five", "c1", {"seq", "1", "200000"});
  spec.log_max_bytes = 1 << 20;
  spec.log_max_files = 3;
  co_await runtime.start_container(spec);
  std::function<bool()> done = [&runtime] { return exited(runtime, "five", "c1"); };
  co_await until(loop, runtime, done);
  size_t files = 0;
  for (const auto& entry : fs::directory_iterator(place.root / "logs/c1")) {
    CHECK(entry.file_size() <= (1 << 20));
    ++files;
  }
  CHECK(files == 3);
  CHECK(plain_log(place, "c1").ends_with("stdout F 199999\nstdout F 200000\n"));
}

}  // namespace

TEST_CASE("A container runs, its log has its lines, its exit code is kept") { run(runs_and_logs); }
TEST_CASE("A program that cannot be executed is an exited container that says why") { run(cannot_start); }
TEST_CASE("Commands run inside a container, with pipes, a terminal and a time limit") { run(execs); }
TEST_CASE("A pod outlives the runtime that started it and is found again; a dead shim takes its containers along") { run(is_adopted); }
TEST_CASE("A log that floods is cut into files, and the newest lines are there") { run(floods_the_log); }
