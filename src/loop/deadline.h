#pragma once
// Deadline: a moment that is moved often and rarely reached, such as an idle timeout. Moving it later
// touches no timer: the one that runs looks again when it fires.

#include <optional>

#include "loop/loop.h"

namespace orch::loop {

class Deadline {
 public:
  // `reached` may destroy the Deadline.
  Deadline(Loop& loop, Callback reached) : loop_(loop), reached_(std::move(reached)) {}
  ~Deadline() { disarm(); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void set(Duration from_now) {
    at_ = loop_.now() + from_now;
    if (timer_ && armed_for_ <= *at_) return;
    disarm();
    arm();
  }
  void clear() { at_.reset(); }

 private:
  void arm() {
    armed_for_ = *at_;
    timer_ = loop_.start_timer(armed_for_, [this] { fire(); });
  }
  void disarm() {
    if (timer_) loop_.cancel_timer(*std::exchange(timer_, std::nullopt));
  }
  void fire() {
    timer_.reset();
    if (!at_) return;
    if (*at_ > loop_.now()) return arm();
    at_.reset();
    auto reached = reached_;
    reached();
  }

  Loop& loop_;
  Callback reached_;
  std::optional<Mono> at_;
  std::optional<Loop::TimerId> timer_;
  Mono armed_for_{};
};

}  // namespace orch::loop
