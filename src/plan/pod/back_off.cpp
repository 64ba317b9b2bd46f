#include "plan/pod/back_off.h"

#include <algorithm>

namespace orch::plan::pod {

namespace {

bool is_forgotten(const BackOff& back_off, BackOffRule rule, Instant ended) {
  return back_off.delay == Duration{} || ended - back_off.updated > 2 * rule.most;
}

}  // namespace

Duration time_left(const BackOff& back_off, BackOffRule rule, Instant ended, Instant now) {
  if (is_forgotten(back_off, rule, ended)) return {};
  return std::clamp<Duration>(ended + back_off.delay - now, Duration{}, back_off.delay);
}

BackOff grown(const BackOff& back_off, BackOffRule rule, Instant ended, Instant now) {
  if (is_forgotten(back_off, rule, ended)) return {rule.base, now};
  return {std::min<Duration>(back_off.delay * 2, rule.most), now};
}

}  // namespace orch::plan::pod
