// A writer is killed at random moments; what it was told is durable must be there afterwards.

#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"
#include "base/text.h"
#include "loop/scope.h"
#include "store/sqlite_store.h"
#include "support.h"
#include "thread_loop.h"

namespace orch::store {
namespace {

using loop::Scope;
using loop::Task;
using test::stamp;

constexpr int kKeys = 12;

// Step n of a key removes it or writes a value of several pages that says n all over.
bool removes(int64_t n) { return n % 7 == 0; }
Value value_of(int64_t n) {
  std::string filler;
  size_t size = 100 + static_cast<size_t>(n * 7919 % 9000);
  while (filler.size() < size) filler += std::to_string(n) + ",";
  return Value::object({{"metadata", Value::empty_object()}, {"n", Value(n)}, {"filler", Value(filler)}});
}
std::string key_of(int key) { return "/keys/" + std::to_string(key); }

Task<void> write_forever(SqliteStore* store, int key, int64_t n, int pipe) {
  for (;; ++n) {
    bool there = store->get(key_of(key)) != nullptr;
    if (removes(n)) {
      if (there) StoredPtr gone = co_await store->remove(key_of(key), 0, stamp);
    } else if (there) {
      StoredPtr done = co_await store->update(key_of(key), value_of(n), 0, stamp, Durability::durable);
    } else {
      StoredPtr made = co_await store->create(key_of(key), value_of(n), stamp, Durability::durable);
    }
    std::string line = std::to_string(key) + " " + std::to_string(n) + "\n";
    if (::write(pipe, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(3);
  }
}

[[noreturn]] void writer(const std::string& directory, int64_t base, int pipe) {
  test::ThreadLoop loop;
  auto store = SqliteStore::open(loop, {.directory = directory,
                                        .housekeeping = {.checkpoint_pages = 40, .vacuum_pages = 8,
                                                         .snapshot_churn = 100'000,
                                                         .pause = std::chrono::milliseconds(1)}},
                                 Logger::discard());
  if (!store.ok()) ::_exit(2);
  Scope scope(loop);
  if (::write(pipe, "open\n", 5) != 5) ::_exit(3);
  for (int key = 0; key < kKeys; ++key) scope.spawn(write_forever(store->get(), key, base, pipe));
  for (;;) loop.turn(std::chrono::milliseconds(100));
}

// Runs a writer until it has worked for `micros` after opening; what it acknowledged, by key.
std::map<int, int64_t> run_and_kill(const std::string& directory, int64_t base, uint64_t micros) {
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::close(pipe[0]);
    writer(directory, base, pipe[1]);
  }
  ::close(pipe[1]);
  std::string text;
  char buffer[4096];
  auto read_some = [&] {
    ssize_t got = ::read(pipe[0], buffer, sizeof buffer);
    if (got > 0) text.append(buffer, static_cast<size_t>(got));
    return got > 0;
  };
  bool opened = micros < 2000 || read_some();  // some are killed while they open
  auto now = [] { return std::chrono::steady_clock::now(); };
  auto until = now() + std::chrono::microseconds(micros);
  while (opened && now() < until) {
    pollfd waiting{pipe[0], POLLIN, 0};
    auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(until - now()).count();
    timespec timeout{0, std::max<long>(left, 0)};
    if (::ppoll(&waiting, 1, &timeout, nullptr) == 1 && !read_some()) break;
  }
  ::kill(child, SIGKILL);
  while (read_some()) {}
  ::close(pipe[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));  // an exit is a failure of its own
  std::map<int, int64_t> acknowledged;
  for (std::string_view line : split(text, '\n')) {
    auto parts = split_once(line, ' ');
    if (parts) acknowledged[static_cast<int>(*parse_int(parts->first))] = *parse_int(parts->second);
  }
  return acknowledged;
}

TEST_CASE("whatever the moment of kill -9, what was acknowledged is there and nothing is half-written") {
  uint64_t seed = static_cast<uint64_t>(::getpid());
  if (const char* given = std::getenv("ORCH_TEST_SEED")) seed = std::strtoull(given, nullptr, 10);
  CAPTURE(seed);
  SeededRandom random(seed);
  test::TemporaryDirectory directory;
  std::map<int, int64_t> known;  // what each key had last time: its n, 0: nothing
  Revision newest = 0;
  size_t total = 0;
  constexpr int kRounds = 200;
  for (int round = 1; round <= kRounds; ++round) {
    CAPTURE(round);
    int64_t base = round * 700'000 + 1;
    auto acknowledged = run_and_kill(directory.path(), base, random.below(30'000));
    test::ThreadLoop loop;
    auto store = SqliteStore::open(loop, {.directory = directory.path()}, Logger::discard());
    REQUIRE(store.ok());
    REQUIRE((*store)->report().damage.empty());
    REQUIRE((*store)->revision() >= newest);
    newest = (*store)->revision();
    for (int key = 0; key < kKeys; ++key) {
      CAPTURE(key);
      int64_t last = acknowledged.contains(key) ? acknowledged[key] : 0;
      total += last ? static_cast<size_t>(last - base + 1) : 0;
      // Either what was acknowledged last, or the one write that was under way.
      int64_t next = last ? last + 1 : base;
      int64_t before = last ? (removes(last) ? 0 : last) : known[key];
      int64_t after = removes(next) ? 0 : next;
      StoredPtr object = (*store)->get(key_of(key));
      int64_t found = object ? object->value["n"].as_int() : 0;
      REQUIRE((found == before || found == after));
      if (object) REQUIRE(object->value["filler"] == value_of(found)["filler"]);
      known[key] = found;
    }
    if (random.below(4) == 0) REQUIRE(loop.run((*store)->close()).ok());
  }
  INFO("acknowledged writes: " << total);
  CHECK(total > 100);  // thousands, but on a busy machine
}

}  // namespace
}  // namespace orch::store
