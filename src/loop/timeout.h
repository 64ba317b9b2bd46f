#pragma once
// with_timeout(loop, task, 5s): the task's result, or Code::timeout once the time is over; then the
// task is cancelled.

#include "loop/loop.h"

namespace orch::loop {

template <class T>
Task<T> with_timeout(Loop& loop, Task<T> task, Duration limit) {
  Event over(loop);
  auto timer = loop.start_timer(loop.now() + limit, [&over] { over.set(); });
  struct Cancel {  // before `over` goes, also when we are cancelled ourselves
    Loop& loop;
    Loop::TimerId timer;
    ~Cancel() { loop.cancel_timer(timer); }
  } cancel{loop, timer};
  auto finished = [](void* event) { static_cast<Event*>(event)->set(); };
  if (!task.start(finished, &over)) co_await over.wait();
  if (!task.done()) co_await fail(Error::make(Code::timeout, "timed out after " + std::to_string(limit / 1ms) + " ms"));
  Result<T> result = std::move(task.finished());
  if (!result.ok()) co_await fail(std::move(result).error());
  if constexpr (!std::is_void_v<T>) co_return std::move(result).value();
}

}  // namespace orch::loop
