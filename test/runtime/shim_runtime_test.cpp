#include "runtime/shim_runtime.h"

#include "runtime/shim_fixture.h"

using namespace orch;
using namespace orch::runtime;
using namespace orch::runtime::test;

namespace {

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
