#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "loop/queue.h"
#include "loop/scope.h"
#include "loop/timeout.h"
#include "loop/virtual_loop.h"

namespace orch::loop {
namespace {

struct Trace {
  std::vector<std::string> lines;
  void add(std::string line) { lines.push_back(std::move(line)); }
};

// Says in its destructor that a frame went away.
struct Guard {
  Trace& trace;
  std::string name;
  ~Guard() { trace.add("~" + name); }
};

Task<int> value_after(Loop& loop, Duration duration, int value) {
  co_await sleep(loop, duration);
  co_return value;
}

Task<int> add_after(Loop& loop, Duration duration, int a, int b) {
  int first = co_await value_after(loop, duration, a);
  int second = co_await value_after(loop, duration, b);
  co_return first + second;
}

Task<void> fails_after(Loop& loop, Duration duration, std::string message) {
  co_await sleep(loop, duration);
  co_await fail(Error::make(Code::conflict, message));
}

Task<void> calls_failing(Loop& loop, Trace& trace) {
  Guard guard{trace, "caller"};
  co_await fails_after(loop, 1s, "no");
  trace.add("not reached");
}

Task<std::string> looks_at_error(Loop& loop, Trace& trace) {
  auto result = co_await calls_failing(loop, trace).result();
  co_return result.ok() ? std::string("ok") : result.error().message();
}

Task<void> note_after(Loop& loop, Trace& trace, Duration duration, std::string name) {
  Guard guard{trace, name};
  co_await sleep(loop, duration);
  trace.add(name);
}

Task<void> wait_and_note(Event& event, Trace& trace, std::string name) {
  co_await event.wait();
  trace.add(name);
}

TEST_CASE("a task returns what its children return, and virtual time is what they slept") {
  VirtualLoop loop;
  auto start = loop.now();
  auto result = loop.run(add_after(loop, 1h, 2, 3));
  REQUIRE(result.ok());
  CHECK(*result == 5);
  CHECK(loop.now() - start == 2h);
}

TEST_CASE("an error ends every caller up to the one that asks for the result") {
  VirtualLoop loop;
  Trace trace;
  auto result = loop.run(looks_at_error(loop, trace));
  REQUIRE(result.ok());
  CHECK(*result == "no");
  CHECK(trace.lines == std::vector<std::string>{"~caller"});
}

TEST_CASE("an error that nobody asks for is the result of the root") {
  VirtualLoop loop;
  Trace trace;
  auto result = loop.run(calls_failing(loop, trace));
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().is(Code::conflict));
}

TEST_CASE("a task that can never wake is reported, not waited for") {
  VirtualLoop loop;
  Event event(loop);
  Trace trace;
  auto result = loop.run(wait_and_note(event, trace, "x"));
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().is(Code::internal));
}

TEST_CASE("a scope runs its tasks side by side and destroys each frame when it has ended") {
  VirtualLoop loop;
  Trace trace;
  Scope scope(loop);
  scope.spawn(note_after(loop, trace, 2s, "b"));
  scope.spawn(note_after(loop, trace, 1s, "a"));
  CHECK(scope.size() == 2);
  loop.run_for(1s);
  CHECK(scope.size() == 1);
  auto joined = loop.run(scope.join());
  CHECK(joined.ok());
  loop.run_until_idle();
  CHECK(trace.lines == std::vector<std::string>{"a", "~a", "b", "~b"});
}

TEST_CASE("destroying a scope cancels what still runs, timers included") {
  VirtualLoop loop;
  Trace trace;
  {
    Scope scope(loop);
    scope.spawn(note_after(loop, trace, 2s, "a"));
    loop.run_for(1s);
    CHECK(loop.has_timers());
  }
  CHECK(trace.lines == std::vector<std::string>{"~a"});
  CHECK_FALSE(loop.has_timers());
}

Task<void> cancels_its_own_scope(Loop& loop, Scope& scope, Trace& trace) {
  Guard guard{trace, "canceller"};
  co_await sleep(loop, 1s);
  scope.cancel();
  trace.add("cancelled");
  co_await sleep(loop, 1s);
  trace.add("not reached");
}

TEST_CASE("a task may cancel its own scope: all of it is gone on the next turn") {
  VirtualLoop loop;
  Trace trace;
  int errors = 0;
  Scope scope(loop, [&](const Error&) { ++errors; });
  scope.spawn(cancels_its_own_scope(loop, scope, trace));
  scope.spawn(note_after(loop, trace, 3s, "other"));
  loop.run_for(1s);
  CHECK(scope.size() == 0);
  CHECK(trace.lines == std::vector<std::string>{"cancelled", "~canceller", "~other"});
  CHECK(errors == 0);
}

TEST_CASE("a scope tells of tasks that end with an error, also when they end at once") {
  VirtualLoop loop;
  std::vector<std::string> heard;
  Scope scope(loop, [&](const Error& error) { heard.push_back(error.message()); });
  scope.spawn(fails_after(loop, 0s, "late"));
  struct Now {
    static Task<void> fails() { co_await fail(Error::make(Code::internal, "at once")); }
  };
  scope.spawn(Now::fails());
  loop.run_until_idle();
  CHECK(heard == std::vector<std::string>{"at once", "late"});
  CHECK(scope.size() == 0);
}

TEST_CASE("an event wakes all who wait, in order and on a later turn") {
  VirtualLoop loop;
  Trace trace;
  Event event(loop);
  Scope scope(loop);
  scope.spawn(wait_and_note(event, trace, "a"));
  scope.spawn(wait_and_note(event, trace, "b"));
  event.set();
  CHECK(trace.lines.empty());
  loop.run_until_idle();
  CHECK(trace.lines == std::vector<std::string>{"a", "b"});
  scope.spawn(wait_and_note(event, trace, "set already"));
  CHECK(trace.lines.back() == "set already");
}

TEST_CASE("a waiter that is destroyed between an event and its turn is not woken") {
  VirtualLoop loop;
  Trace trace;
  Event event(loop);
  {
    Scope scope(loop);
    scope.spawn(wait_and_note(event, trace, "a"));
    event.set();
  }
  loop.run_until_idle();
  CHECK(trace.lines.empty());
}

TEST_CASE("a waiter that gives up leaves nothing behind in the event") {
  VirtualLoop loop;
  Trace trace;
  Event event(loop);
  for (int i = 0; i < 3; ++i) {
    Scope scope(loop);
    scope.spawn(wait_and_note(event, trace, "a"));
    CHECK(event.has_waiters());
  }
  CHECK_FALSE(event.has_waiters());
}

Task<std::string> offloads(Loop& loop) {
  std::string text = "abc";
  auto work = [text] { return text + text; };
  std::string twice = co_await offload(loop, work);
  co_return twice;
}

TEST_CASE("offloaded work hands its value back") {
  VirtualLoop loop;
  auto result = loop.run(offloads(loop));
  REQUIRE(result.ok());
  CHECK(*result == "abcabc");
}

TEST_CASE("work whose waiter was cancelled runs to its end and nobody is resumed") {
  VirtualLoop loop;
  {
    Scope scope(loop);
    struct Drop {
      static Task<void> result(Loop& l) { (void)co_await offloads(l); }
    };
    scope.spawn(Drop::result(loop));
  }
  loop.run_until_idle();
  SUCCEED();
}

TEST_CASE("with_timeout hands over a result in time, and cancels what is late") {
  VirtualLoop loop;
  auto in_time = loop.run(with_timeout(loop, value_after(loop, 1s, 7), 2s));
  REQUIRE(in_time.ok());
  CHECK(*in_time == 7);
  CHECK_FALSE(loop.has_timers());
  Trace trace;
  auto late = loop.run(with_timeout(loop, note_after(loop, trace, 3s, "late"), 2s));
  REQUIRE_FALSE(late.ok());
  CHECK(late.error().is(Code::timeout));
  CHECK(trace.lines == std::vector<std::string>{"~late"});
  auto failed = loop.run(with_timeout(loop, fails_after(loop, 1s, "no"), 2s));
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().message() == "no");
}

TEST_CASE("a queue hands values over in order and ends when it is closed and empty") {
  VirtualLoop loop;
  Queue<int> queue(loop);
  queue.push(1);
  queue.push(2);
  queue.close();
  CHECK(*loop.run(queue.pop()) == 1);
  CHECK(*loop.run(queue.pop()) == 2);
  auto end = loop.run(queue.pop());
  REQUIRE_FALSE(end.ok());
  CHECK(end.error().is(Code::closed));
}

TEST_CASE("timers fire in the order of their times, then of their starts, and not when cancelled") {
  VirtualLoop loop;
  std::string order;
  auto at = [&](Duration d) { return loop.now() + d; };
  loop.start_timer(at(2s), [&] { order += "c"; });
  loop.start_timer(at(1s), [&] { order += "a"; });
  loop.start_timer(at(1s), [&] { order += "b"; });
  auto id = loop.start_timer(at(1s), [&] { order += "x"; });
  loop.cancel_timer(id);
  loop.cancel_timer(id);
  loop.run_for(10s);
  CHECK(order == "abc");
}

TEST_CASE("the wall clock may jump while timers keep their time") {
  VirtualLoop loop(Instant{0});
  bool fired = false;
  loop.start_timer(loop.now() + 10s, [&] { fired = true; });
  loop.set_wall(Instant{0} + 24h);
  loop.run_for(9s);
  CHECK_FALSE(fired);
  CHECK(loop.wall() == Instant{0} + 24h + 9s);
  loop.run_for(1s);
  CHECK(fired);
}

Task<void> ticks_forever(Loop& loop, int& count) {
  while (true) {
    co_await sleep(loop, 1s);
    ++count;
  }
}

TEST_CASE("a day of a second's ticks is simulated without deep stacks") {
  VirtualLoop loop;
  int count = 0;
  Scope scope(loop);
  scope.spawn(ticks_forever(loop, count));
  loop.run_for(24h);
  CHECK(count == 86400);
}

Task<int> returns_error_as_result(Loop& loop) {
  co_await sleep(loop, 1s);
  Result<int> result = Error::make(Code::conflict, "stale");
  co_return std::move(result);
}

Task<int> awaits(Loop& loop, bool& went_on) {
  int n = co_await returns_error_as_result(loop);
  went_on = true;
  co_return n;
}

TEST_CASE("an error that a task co_returns as a Result, after it waited, ends its callers") {
  VirtualLoop loop;
  bool went_on = false;
  Result<int> result = loop.run(awaits(loop, went_on));
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().is(Code::conflict));
  CHECK_FALSE(went_on);
}

}  // namespace
}  // namespace orch::loop
