#include "loop/process.h"

#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <csignal>

#include "loop/timeout.h"

namespace orch::loop {
namespace {

ProcessRequest shell(std::string script) {
  ProcessRequest request;
  request.arguments = {"sh", "-c", script};
  return request;
}

Task<void> run_into(UvLoop& loop, ProcessRequest request, std::string input, std::optional<Result<ProcessOutput>>& out) {
  out.emplace(co_await run_process(loop, std::move(request), std::move(input)).result());
}

Result<ProcessOutput> run(UvLoop& loop, ProcessRequest request, std::string input = "") {
  std::optional<Result<ProcessOutput>> out;
  auto ran = loop.run(with_timeout(loop, run_into(loop, std::move(request), std::move(input), out), 20s));
  if (!ran.ok()) return std::move(ran).error();
  return std::move(*out);
}

TEST_CASE("a child's output, errors and exit code come back, and it gets its input") {
  UvLoop loop;
  auto done = run(loop, shell("cat; echo oops >&2; exit 3"), "hello");
  REQUIRE(done.ok());
  CHECK(done->output == "hello");
  CHECK(done->error == "oops\n");
  CHECK(done->status.code == 3);
  CHECK_FALSE(done->status.ok());
}

TEST_CASE("megabytes go in and out, and a child need not read its input") {
  UvLoop loop;
  std::string big(3'000'000, 'x');
  auto done = run(loop, shell("cat"), big);
  REQUIRE(done.ok());
  CHECK(done->output == big);
  CHECK(run(loop, shell("exit 0"), big)->status.ok());
}

TEST_CASE("environment and directory are the child's, and SIGPIPE kills it as usual") {
  UvLoop loop;
  auto request = shell("echo $X; pwd");
  request.environment = {"X=1", "PATH=/usr/bin:/bin"};
  request.directory = "/";
  CHECK(run(loop, request)->output == "1\n/\n");
  auto done = run(loop, shell("kill -PIPE $$; echo survived"));
  REQUIRE(done.ok());
  CHECK(done->status.signal == SIGPIPE);
}

TEST_CASE("a program that is not there is an error") {
  UvLoop loop;
  ProcessRequest request;
  request.arguments = {"no-such-program-here"};
  auto started = Process::start(loop, request);
  REQUIRE_FALSE(started.ok());
  CHECK(started.error().error_number() == ENOENT);
}

TEST_CASE("destroying a process kills it and leaves no zombie") {
  int pid = 0;
  {
    UvLoop loop;
    auto started = Process::start(loop, shell("exec sleep 1000"));
    REQUIRE(started.ok());
    pid = (*started)->pid();
    CHECK(kill(pid, 0) == 0);
  }
  CHECK(kill(pid, 0) != 0);
  CHECK(errno == ESRCH);
}

}  // namespace
}  // namespace orch::loop
