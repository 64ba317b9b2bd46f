#include "runc/container.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <filesystem>

#include "data/json.h"

namespace orch::runc {
namespace {

struct Directory {
  Directory() {
    char name[] = "/tmp/orch-runc-test-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Directory() { std::filesystem::remove_all(path); }
  std::string path;
};

TEST_CASE("ids have letters, digits and a few signs, and lead nowhere") {
  for (const char* id : {"a", "web-1", "A_b+c.d"}) CHECK(check_id(id).ok());
  for (const char* id : {"", ".", "..", "a/b", "a b", "\xc3\xa4"}) CHECK(!check_id(id).ok());
}

TEST_CASE("a container is found again as it was saved") {
  Directory root;
  Context context;
  context.root = root.path;
  CHECK(load_container(context, "web").error().message() == "container does not exist");
  Container container;
  container.id = "web";
  container.directory = root.path + "/web";
  container.bundle = "/b";
  container.config = parse_json(R"({"ociVersion": "1.2.0", "annotations": {"a": "b"}})").value();
  container.created = Instant{1'000'000'000};
  ::mkdir(container.directory.c_str(), 0700);
  REQUIRE(container.save().ok());
  const Container again = load_container(context, "web").value();
  CHECK(format_json(state_value(again, Status::stopped)) ==
        R"({"annotations":{"a":"b"},"bundle":"/b","created":"1970-01-01T00:00:01.000000Z","id":"web","ociVersion":"1.2.0",)"
        R"("owner":"","pid":0,"rootfs":"","status":"stopped"})");
  CHECK(load_all(context).value().size() == 1);
}

TEST_CASE("the status follows the process and the fifo") {
  Directory root;
  Container container;
  container.directory = root.path;
  CHECK(status_of(container) == Status::creating);
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  container.pid = child;
  container.started = process_start(child);
  container.creating = false;
  REQUIRE(container.started > 0);
  CHECK(status_of(container) == Status::running);
  ::mkfifo(container.fifo().c_str(), 0600);
  CHECK(status_of(container) == Status::created);
  // Another process with its number.
  container.started += 1;
  CHECK(status_of(container) == Status::stopped);
  container.started -= 1;
  ::kill(child, SIGKILL);
  siginfo_t info;
  // Dead, and nobody has asked for its exit code yet: it does not count as a process any more.
  ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  CHECK(status_of(container) == Status::stopped);
  ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace orch::runc
