#pragma once
// Back-off as kubelet counts it (client-go's flowcontrol.Backoff): nothing after the first event, then
// `base` from the end of one attempt to the next, doubled up to `most`; forgotten when an attempt lasted
// longer than twice `most`.

#include "base/time.h"

namespace orch::plan::pod {

struct BackOffRule {
  Duration base, most;
};
inline constexpr BackOffRule crash_rule{10s, 300s};
inline constexpr BackOffRule pull_rule{10s, 300s};

struct BackOff {
  Duration delay{};  // zero: none yet
  Instant updated;
};

// How long to wait still, after something that ended at `ended`. Never more than the delay, wherever the
// clock is set to.
Duration time_left(const BackOff& back_off, BackOffRule rule, Instant ended, Instant now);
// To be called when the next attempt begins, or the one at `ended` has failed.
BackOff grown(const BackOff& back_off, BackOffRule rule, Instant ended, Instant now);

}  // namespace orch::plan::pod
