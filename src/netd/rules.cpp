#include "netd/rules.h"

#include <algorithm>

namespace orch::netd {

using loop::Task;

namespace {

constexpr Duration first_pause = 100ms, longest_pause = 10s;

}  // namespace

Rules::Rules(loop::UvLoop& loop, Logger logger, std::string table)
    : loop_(loop),
      logger_(std::move(logger)),
      table_(std::move(table)),
      assembly_(table_),
      wanted_(loop),
      released_(loop),
      scope_(loop) {
  scope_.spawn(run());
}

void Rules::put(const std::string& owner, plan::net::Fragment fragment) {
  assembly_.put(owner, std::move(fragment));
  if (assembly_.has_changes()) wanted_.set();
}

void Rules::release() {
  if (released_.is_set()) return;
  released_.set();
  replace_ = true;
  wanted_.set();
}

// Another program that flushes all tables takes ours, too: put it back.
bool Rules::open_kernel() {
  auto nftables = sys::Nftables::open();
  auto monitor = nftables.ok() ? sys::NfMonitor::open(table_, nftables->port()) : Result<sys::NfMonitor>(nftables.error());
  if (!monitor.ok()) {
    last_error_ = monitor.error().message();
    logger_.warn("no nf_tables: Services will not be reached at their addresses", {{"error", last_error_}});
    return false;
  }
  nftables_ = std::make_shared<sys::Nftables>(std::move(*nftables));
  monitor_ = std::make_unique<sys::NfMonitor>(std::move(*monitor));
  auto look = [this] {
    if (!monitor_->changed() || !released_.is_set()) return;
    logger_.info("somebody changed our nf_tables rules: putting them back", {{"table", table_}});
    replace_ = true;
    wanted_.set();
  };
  watch_ = std::make_unique<loop::FdWatch>(loop_, monitor_->fd(), look);
  return true;
}

Task<void> Rules::run() {
  if (!open_kernel()) co_return;
  auto look = [table = table_, nftables = nftables_]() -> Result<bool> {
    TRY(auto use, nftables->table_use(table));
    return use.has_value();
  };
  Result<bool> there = co_await loop::offload(loop_, look);
  if (there.ok() && *there) co_await released_.wait();
  for (;;) {
    co_await wanted_.wait();
    wanted_.reset();
    co_await loop::yield_turn(loop_);  // what else this turn brings goes along
    co_await apply_once();
  }
}

Task<void> Rules::apply_once() {
  const bool whole = replace_;
  if (!whole && !assembly_.has_changes()) co_return;
  plan::net::Ruleset ruleset;
  plan::net::Changes changes;
  if (whole) {
    ruleset = assembly_.take_all();
  } else {
    changes = assembly_.take_changes();
  }
  replace_ = false;
  auto work = [nftables = nftables_, whole, ruleset = std::move(ruleset), changes = std::move(changes)]() -> Result<void> {
    if (!whole && changes.empty()) return {};
    return nftables->apply(whole ? sys::encode_replace(ruleset) : sys::encode_changes(changes));
  };
  Result<void> result = co_await loop::offload(loop_, work);
  if (result.ok()) {
    last_error_.clear();
    failures_ = 0;
  } else {
    if (result.error().message() != last_error_)
      logger_.warn("nf_tables refused the rules of Services", {{"error", result.error().message()}});
    last_error_ = result.error().message();
    replace_ = true;
    wanted_.set();
    // The first time at once: a change may just have met a table that is not what we thought.
    if (++failures_ > 1) {
      const Duration pause = std::min<Duration>(longest_pause, first_pause * (int64_t{1} << std::min(failures_, 10)));
      co_await loop::sleep(loop_, pause);
    }
  }
}

Task<void> Rules::remove_table() {
  scope_.cancel();
  co_await scope_.join();
  watch_.reset();
  const std::string table = table_;
  auto work = [table]() -> Result<void> {
    TRY(sys::Nftables nftables, sys::Nftables::open());
    return nftables.remove_table(table);
  };
  Result<void> result = co_await loop::offload(loop_, work);
  co_await std::move(result);
}

}  // namespace orch::netd
