#pragma once
// UvLoop: the Loop of the program, over libuv. One epoll for sockets, timers and signals; libuv's
// worker threads for offloaded work.
//
// Owner: main, or a test. Everything made with it (networks, streams, scopes) goes before it does.
// The constructor ignores SIGPIPE for the whole process: a write to a closed socket is an error value.
// A child process inherits that, so whoever executes one restores it.

#include <memory>
#include <vector>

#include "loop/loop.h"

struct uv_loop_s;

namespace orch::loop {

class UvLoop final : public Loop {
 public:
  UvLoop();
  // Waits for offloaded work that already runs.
  ~UvLoop() override;
  UvLoop(const UvLoop&) = delete;
  UvLoop& operator=(const UvLoop&) = delete;

  Mono now() const override;  // milliseconds
  Instant wall() const override;
  void defer(Callback callback) override;
  void post(Callback callback) override;
  TimerId start_timer(Mono at, Callback callback) override;
  void cancel_timer(TimerId id) override;
  void offload_work(Callback work, Callback done) override;

  // Calls `callback` each time the process gets the signal, until the loop is destroyed.
  void on_signal(int signal_number, Callback callback);

  // Runs the loop until the task has ended.
  Result<void> run(Task<void> task);

  uv_loop_s* raw();
  // For reads of any stream: used inside one callback of libuv only, so one is enough for all.
  static constexpr size_t kReadBufferSize = 64 * 1024;
  char* read_buffer();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace orch::loop
