#include "loop/uv_loop.h"

#include <uv.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <mutex>
#include <string>
#include <vector>

#include "base/check.h"
#include "loop/timers.h"

namespace orch::loop {

namespace {

// Deferred callbacks that defer others are run without asking the kernel in between, but not for ever.
constexpr int kRoundsPerTurn = 16;

struct Work {
  uv_work_t request{};
  Callback work, done;
};

struct Signal {
  uv_signal_t handle{};
  Callback callback;
};

template <class Handle>
uv_handle_t* as_handle(Handle& handle) {
  return reinterpret_cast<uv_handle_t*>(&handle);
}

}  // namespace

struct UvLoop::Impl {
  uv_loop_t loop{};
  uv_timer_t timer{};  // armed for the earliest of `timers`
  uv_idle_t idle{};    // active while something is deferred: the poll must not block then
  uv_check_t check{};
  uv_async_t async{};
  Timers timers;
  std::optional<Mono> armed;
  std::vector<Callback> deferred;
  std::vector<std::unique_ptr<Signal>> signals;
  std::unique_ptr<char[]> read_buffer;
  std::mutex posted_mutex;
  std::vector<Callback> posted;
  bool closing = false;  // the handles are gone: only keep what comes, to drop it

  Mono now() const { return Mono{static_cast<int64_t>(uv_now(&loop)) * 1'000'000}; }
  void arm_timer();
  void fire_timers();
  void run_deferred();
  void take_posted();
  void drop_callbacks();
};

UvLoop::UvLoop() : impl_(std::make_unique<Impl>()) {
  auto& i = *impl_;
  ORCH_CHECK(uv_loop_init(&i.loop) == 0);
  i.loop.data = &i;
  uv_timer_init(&i.loop, &i.timer);
  uv_idle_init(&i.loop, &i.idle);
  uv_check_init(&i.loop, &i.check);
  ORCH_CHECK(uv_async_init(&i.loop, &i.async, [](uv_async_t* async) {
               static_cast<Impl*>(async->loop->data)->take_posted();
             }) == 0);
  uv_check_start(&i.check, [](uv_check_t* check) {
    static_cast<Impl*>(check->loop->data)->run_deferred();
  });
  // The async handle keeps uv_run going while it is told to; the check handle does nothing by itself.
  uv_unref(as_handle(i.check));
  i.read_buffer = std::make_unique<char[]>(kReadBufferSize);
  std::signal(SIGPIPE, SIG_IGN);
}

UvLoop::~UvLoop() {
  auto& i = *impl_;
  i.drop_callbacks();
  i.closing = true;
  uv_walk(&i.loop, [](uv_handle_t* handle, void*) {
    if (!uv_is_closing(handle)) uv_close(handle, nullptr);
  }, nullptr);
  // Ends once the closing handles and the running work are done.
  uv_run(&i.loop, UV_RUN_DEFAULT);
  ORCH_CHECK(uv_loop_close(&i.loop) == 0);
  i.drop_callbacks();
}

// What callbacks own may start timers and defer while it is destroyed; a few rounds see to that.
void UvLoop::Impl::drop_callbacks() {
  for (int round = 0; round < 100; ++round) {
    take_posted();
    if (deferred.empty() && timers.empty()) break;
    auto dropped = std::move(deferred);
    deferred.clear();
    dropped.clear();
    timers.clear();
  }
}

Mono UvLoop::now() const { return impl_->now(); }

Instant UvLoop::wall() const {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return Instant{int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec};
}

void UvLoop::defer(Callback callback) {
  auto& i = *impl_;
  i.deferred.push_back(std::move(callback));
  if (i.deferred.size() == 1 && !i.closing && !uv_is_active(as_handle(i.idle))) {
    uv_idle_start(&i.idle, [](uv_idle_t*) {});
  }
}

void UvLoop::Impl::run_deferred() {
  for (int round = 0; round < kRoundsPerTurn && !deferred.empty(); ++round) {
    auto batch = std::move(deferred);
    deferred.clear();
    for (auto& callback : batch) {
      auto running = std::move(callback);
      running();
    }
  }
  if (deferred.empty()) {
    uv_idle_stop(&idle);
  } else if (!uv_is_active(as_handle(idle))) {
    uv_idle_start(&idle, [](uv_idle_t*) {});
  }
}

void UvLoop::post(Callback callback) {
  {
    std::lock_guard lock(impl_->posted_mutex);
    impl_->posted.push_back(std::move(callback));
  }
  uv_async_send(&impl_->async);
}

void UvLoop::Impl::take_posted() {
  std::vector<Callback> taken;
  {
    std::lock_guard lock(posted_mutex);
    taken.swap(posted);
  }
  // Run in the check phase of this same turn.
  for (auto& callback : taken) deferred.push_back(std::move(callback));
}

Loop::TimerId UvLoop::start_timer(Mono at, Callback callback) {
  auto id = impl_->timers.add(at, std::move(callback));
  impl_->arm_timer();
  return id;
}

void UvLoop::cancel_timer(TimerId id) {
  // The armed one may now be early: it finds nothing to do and arms the next.
  impl_->timers.cancel(id);
}

void UvLoop::Impl::arm_timer() {
  auto next = timers.next();
  if (!next || closing || (armed && *armed <= *next)) return;
  armed = next;
  int64_t wait = std::max<int64_t>(0, (next->ns - now().ns + 999'999) / 1'000'000);
  uv_timer_start(&timer, [](uv_timer_t* t) { static_cast<Impl*>(t->loop->data)->fire_timers(); },
                 static_cast<uint64_t>(wait), 0);
}

void UvLoop::Impl::fire_timers() {
  armed.reset();
  Mono until = now();  // what callbacks start for now waits for the next turn
  while (auto callback = timers.take_due(until)) callback();
  arm_timer();
}

void UvLoop::offload_work(Callback work, Callback done) {
  auto* job = new Work{.request = {}, .work = std::move(work), .done = std::move(done)};
  job->request.data = job;
  auto run = [](uv_work_t* request) { static_cast<Work*>(request->data)->work(); };
  auto after = [](uv_work_t* request, int) {
    std::unique_ptr<Work> owned(static_cast<Work*>(request->data));
    owned->done();
  };
  ORCH_CHECK(uv_queue_work(&impl_->loop, &job->request, run, after) == 0);
}

void UvLoop::on_signal(int signal_number, Callback callback) {
  auto& signal = *impl_->signals.emplace_back(std::make_unique<Signal>());
  signal.callback = std::move(callback);
  signal.handle.data = &signal;
  uv_signal_init(&impl_->loop, &signal.handle);
  uv_signal_start(&signal.handle, [](uv_signal_t* handle, int) {
    static_cast<Signal*>(handle->data)->callback();
  }, signal_number);
}

Result<void> UvLoop::run(Task<void> task) {
  auto stop = [](void* loop) { uv_stop(static_cast<uv_loop_t*>(loop)); };
  uv_update_time(&impl_->loop);
  if (!task.start(stop, &impl_->loop)) {
    while (!task.done()) uv_run(&impl_->loop, UV_RUN_DEFAULT);
  }
  return std::move(task.finished());
}

uv_loop_s* UvLoop::raw() { return &impl_->loop; }

char* UvLoop::read_buffer() { return impl_->read_buffer.get(); }

}  // namespace orch::loop
