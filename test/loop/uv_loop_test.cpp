#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "loop/scope.h"
#include "loop/timeout.h"
#include "loop/uv_loop.h"

namespace orch::loop {
namespace {

Task<void> nothing() { co_return; }

Task<void> fails() { co_await fail(Error::make(Code::conflict, "no")); }

Task<void> sleeps(Loop& loop, Duration duration) { co_await sleep(loop, duration); }

TEST_CASE("the uv loop runs a task to its end and gives its result") {
  UvLoop loop;
  CHECK(loop.run(nothing()).ok());
  auto failed = loop.run(fails());
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().is(Code::conflict));
  auto before = loop.now();
  CHECK(loop.run(sleeps(loop, 20ms)).ok());
  CHECK(loop.now() - before >= 20ms);
  CHECK(loop.now() - before < 2s);
}

Task<void> timers_in_order(UvLoop& loop, std::string& order) {
  Event done(loop);
  auto base = loop.now();
  loop.start_timer(base + 30ms, [&] {
    order += "c";
    done.set();
  });
  loop.start_timer(base + 10ms, [&] { order += "a"; });
  auto cancelled = loop.start_timer(base + 5ms, [&] { order += "x"; });
  loop.start_timer(base + 20ms, [&] { order += "b"; });
  loop.cancel_timer(cancelled);
  co_await done.wait();
}

TEST_CASE("timers of the uv loop fire in order and a cancelled one does not") {
  UvLoop loop;
  std::string order;
  REQUIRE(loop.run(timers_in_order(loop, order)).ok());
  CHECK(order == "abc");
}

Task<void> yields(UvLoop& loop, int times) {
  for (int i = 0; i < times; ++i) co_await yield_turn(loop);
}

TEST_CASE("yielding runs on without timers or sockets") {
  UvLoop loop;
  CHECK(loop.run(yields(loop, 1000)).ok());
}

// CPU time in seconds.
double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

TEST_CASE("a loop that waits does not spin, also after something was deferred") {
  UvLoop loop;
  loop.defer([] {});
  double before = cpu_seconds();
  REQUIRE(loop.run(sleeps(loop, 300ms)).ok());
  CHECK(cpu_seconds() - before < 0.1);
}

Task<void> waits_for(Event& event) { co_await event.wait(); }

TEST_CASE("callbacks come from other threads in the order they were posted") {
  UvLoop loop;
  Event done(loop);
  std::string order;
  std::thread thread([&] {
    loop.post([&] { order += "a"; });
    loop.post([&] {
      order += "b";
      done.set();
    });
  });
  CHECK(loop.run(with_timeout(loop, waits_for(done), 10s)).ok());
  thread.join();
  CHECK(order == "ab");
}

Task<void> offloads(UvLoop& loop, bool& other_thread) {
  auto here = std::this_thread::get_id();
  auto work = [] { return std::this_thread::get_id(); };
  auto there = co_await offload(loop, work);
  other_thread = there != here;
}

TEST_CASE("offloaded work runs on another thread") {
  UvLoop loop;
  bool other_thread = false;
  REQUIRE(loop.run(offloads(loop, other_thread)).ok());
  CHECK(other_thread);
}

TEST_CASE("a loop may go while work is under way: it waits and resumes nobody") {
  int runs = 0;
  {
    UvLoop loop;
    loop.offload_work([&] { ++runs; }, [] {});
    Scope scope(loop);
    scope.spawn(sleeps(loop, 1h));
  }
  CHECK(runs == 1);
}

TEST_CASE("a signal calls back, each time") {
  UvLoop loop;
  Event done(loop);
  int count = 0;
  loop.on_signal(SIGUSR1, [&] {
    if (++count == 2) return done.set();
    kill(getpid(), SIGUSR1);
  });
  kill(getpid(), SIGUSR1);
  CHECK(loop.run(with_timeout(loop, waits_for(done), 10s)).ok());
  CHECK(count == 2);
}

}  // namespace
}  // namespace orch::loop
