#pragma once
// Threads for work that takes as long as a download. (loop::offload has four for the whole program, and the
// API's store waits for them.) On the loop's thread, but for what the work itself does.

#include <atomic>
#include <list>
#include <memory>
#include <thread>

#include "loop/loop.h"

namespace orch::runtime::images {

class Workers {
 public:
  explicit Workers(loop::Loop& loop) : loop_(loop), running_(std::make_shared<Running>()) {}
  // Tells them to stop (see cancelled()) and waits.
  ~Workers() {
    *cancelled_ = true;
    for (std::thread& thread : running_->threads) thread.join();
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // True once everything has to end; the work looks at it.
  std::shared_ptr<std::atomic<bool>> cancelled() const { return cancelled_; }

  void start(loop::Callback work, loop::Callback done) {
    auto& threads = running_->threads;
    auto place = threads.emplace(threads.end());
    *place = std::thread([&loop = loop_, weak = std::weak_ptr<Running>(running_), place, work = std::move(work),
                          done = std::move(done)]() mutable {
      work();
      work = {};
      loop.post([weak, place, done = std::move(done)] {
        auto running = weak.lock();
        if (!running) return;
        place->join();
        running->threads.erase(place);
        done();
      });
    });
  }

 private:
  struct Running {
    std::list<std::thread> threads;
  };
  loop::Loop& loop_;
  std::shared_ptr<Running> running_;
  std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
};

// Like loop::offload:
//   auto work = [...] { return f(...); };
//   R r = co_await on_thread(workers, work);
template <class F>
class on_thread final : public loop::Wakeup {
 public:
  using R = std::invoke_result_t<F&>;
  on_thread(Workers& workers, F& work) : workers_(workers), shared_(std::make_shared<Shared>(std::move(work))) {}
  R await_resume() { return std::move(*shared_->result); }

 private:
  struct Shared {
    explicit Shared(std::decay_t<F> f) : work(std::move(f)) {}
    std::decay_t<F> work;
    std::optional<R> result;
  };
  void arm(Resume resume) override {
    workers_.start([shared = shared_] { shared->result.emplace(shared->work()); }, std::move(resume));
  }
  Workers& workers_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace orch::runtime::images
