#include "client/keyed_queue.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "loop/scope.h"
#include "loop/virtual_loop.h"

using namespace orch;
using client::BackOff;
using client::KeyedQueue;

namespace {

using Queue = KeyedQueue<std::string>;

loop::Task<void> work(loop::Loop& loop, Queue& queue, Duration each, std::vector<std::string>& log) {
  for (;;) {
    std::string key = co_await queue.take();
    log.push_back(key);
    if (each > Duration{}) co_await loop::sleep(loop, each);
    queue.done(key);
  }
}

}  // namespace

TEST_CASE("A key added many times before it is taken is worked on once") {
  loop::VirtualLoop loop;
  Queue queue(loop, {});
  std::vector<std::string> log;
  loop::Scope scope(loop);
  for (int i = 0; i < 5; ++i) queue.add("a");
  queue.add("b");
  scope.spawn(work(loop, queue, {}, log));
  loop.run_until_idle();
  CHECK(log == std::vector<std::string>{"a", "b"});
}

TEST_CASE("A key added while it is worked on comes back afterwards, never to two workers at once") {
  loop::VirtualLoop loop;
  Queue queue(loop, {});
  std::vector<std::string> log;
  loop::Scope scope(loop);
  scope.spawn(work(loop, queue, 10s, log));
  scope.spawn(work(loop, queue, 10s, log));
  queue.add("a");
  loop.run_for(1s);
  queue.add("a");
  queue.add("a");
  loop.run_for(1s);
  CHECK(log.size() == 1);
  loop.run_for(20s);
  CHECK(log.size() == 2);
}

TEST_CASE("A failing key waits twice as long each time, up to a limit, until it is forgotten") {
  loop::VirtualLoop loop;
  Queue queue(loop, BackOff{1s, 5s});
  std::vector<int64_t> waits;
  for (int i = 0; i < 5; ++i) {
    queue.add_failed("a");
    int64_t waited = 0;
    while (queue.size() == 0) {
      loop.run_for(1s);
      ++waited;
    }
    waits.push_back(waited);
    auto key = loop.run(queue.take());
    REQUIRE(key.ok());
    queue.done(key.value());
  }
  CHECK(waits == std::vector<int64_t>{1, 2, 4, 5, 5});
  queue.forget("a");
  CHECK(queue.failures("a") == 0);
}

TEST_CASE("Of several waits for a key the shortest counts") {
  loop::VirtualLoop loop;
  Queue queue(loop, {});
  queue.add_after("a", 10s);
  queue.add_after("a", 3s);
  queue.add_after("a", 7s);
  loop.run_for(3s);
  CHECK(queue.size() == 1);
  loop.run_for(60s);
  CHECK(queue.size() == 1);
}

TEST_CASE("A closed queue gives out nothing more") {
  loop::VirtualLoop loop;
  Queue queue(loop, {});
  queue.add("a");
  queue.close();
  queue.add("b");
  auto taken = loop.run(queue.take());
  REQUIRE_FALSE(taken.ok());
  CHECK(taken.error().is(Code::closed));
}
