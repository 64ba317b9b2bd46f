#include "client/lease_keeper.h"

#include "client/informer.h"
#include "plan/core/object.h"

namespace orch::client {

LeaseKeeper::LeaseKeeper(loop::Loop& loop, ApiPort& api, Logger logger, LeaseSpec spec)
    : loop_(loop), api_(api), logger_(std::move(logger)), spec_(std::move(spec)) {}

Value LeaseKeeper::renewed(const Value& lease) const {
  Value next = lease.with_path({"spec", "holderIdentity"}, Value(spec_.holder));
  next = next.with_path({"spec", "leaseDurationSeconds"}, Value(static_cast<int64_t>(spec_.duration / 1s)));
  return next.with_path({"spec", "renewTime"}, Value(format_micro_time(loop_.wall())));
}

loop::Task<void> LeaseKeeper::renew() {
  Target target = target_of(plan::types::leases);
  target.ns = spec_.ns;
  target.name = spec_.name;
  WriteOptions options;
  if (lease_.is_null()) {
    auto found = co_await api_.get(target).result();
    if (found.ok()) {
      lease_ = found.value();
    } else if (found.error().is(Code::not_found)) {
      Value meta = Value::object({{"name", spec_.name}, {"namespace", spec_.ns}});
      if (!spec_.owner.is_null()) meta = meta.with("ownerReferences", Value::list({spec_.owner}));
      Value fresh = Value::object({{"apiVersion", "coordination.k8s.io/v1"}, {"kind", "Lease"}, {"metadata", meta}});
      target.name.clear();
      lease_ = co_await api_.create(target, renewed(fresh), options);
      co_return;
    } else {
      co_await loop::fail(found.error());
    }
  }
  auto updated = co_await api_.update(target, renewed(lease_), options).result();
  if (!updated.ok()) {
    lease_ = Value();  // look at it anew
    co_await loop::fail(updated.error());
  }
  lease_ = updated.value();
}

loop::Task<void> LeaseKeeper::run() {
  Duration delay = 200ms;
  for (;;) {
    auto result = co_await renew().result();
    if (result.ok()) {
      delay = 200ms;
      co_await loop::sleep(loop_, spec_.duration / 4);
      continue;
    }
    logger_.warn("renewing the lease failed", {{"lease", spec_.name}, {"error", result.error().message()}});
    co_await loop::sleep(loop_, delay);
    delay = std::min<Duration>(delay * 2, 7s);
  }
}

}  // namespace orch::client
