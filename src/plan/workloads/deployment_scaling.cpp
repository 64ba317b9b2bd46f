// Sizes of a deployment's ReplicaSets. The arithmetic is Kubernetes' own, rounding included: users
// and tests count on how many pods of which revision there are at each step.

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "data/quantity.h"
#include "plan/workloads/deployment_rollout.h"

namespace orch::plan::rollout {

namespace {

struct Fences {
  int64_t surge, unavailable;
};

// Both zero would stop every rollout: then one pod may be missing.
Fences resolve_fences(const Value& deployment) {
  const Value& rolling = deployment["spec"]["strategy"]["rollingUpdate"];
  const int64_t replicas = deployment["spec"]["replicas"].as_int(1);
  Fences fences{scaled_int_or_percent(rolling["maxSurge"], replicas, true).value_or(0),
                scaled_int_or_percent(rolling["maxUnavailable"], replicas, false).value_or(0)};
  if (fences.surge == 0 && fences.unavailable == 0) fences.unavailable = 1;
  return fences;
}

std::optional<int64_t> number_annotation(const Set& set, std::string_view key) {
  std::string_view text = annotation_of(set.object, key);
  if (text.empty()) return std::nullopt;
  return parse_int(text);
}

void annotate_sizes(const Value& deployment, Set& set) {
  const int64_t desired = deployment["spec"]["replicas"].as_int(1);
  set.object = with_annotation(set.object, annotation::desired_replicas, std::to_string(desired));
  set.object = with_annotation(set.object, annotation::max_replicas, std::to_string(desired + max_surge(deployment)));
}

void set_size(Rollout& rollout, Set& set, int64_t replicas) {
  const int64_t before = set.replicas();
  annotate_sizes(rollout.deployment, set);
  if (before == replicas) return;
  set.object = set.object.with_path({"spec", "replicas"}, Value(replicas));
  std::string message = std::string(replicas > before ? "Scaled up" : "Scaled down") + " replica set " + set.name() +
                        " from " + std::to_string(before) + " to " + std::to_string(replicas);
  set.notes.push_back(Note{NoteType::normal, "ScalingReplicaSet", std::move(message), {}});
}

// What of a change of the deployment's size falls to one set, before limits.
int64_t fraction_of(const Rollout& rollout, const Set& set) {
  if (rollout.replicas() == 0) return -set.replicas();
  int64_t before = number_annotation(set, annotation::max_replicas).value_or(0);
  if (before == 0) before = rollout.deployment["status"]["replicas"].as_int();
  if (before == 0) return 0;
  const int64_t after = rollout.replicas() + max_surge(rollout.deployment);
  const double size = static_cast<double>(set.replicas() * after) / static_cast<double>(before);
  return static_cast<int64_t>(size < 0 ? size - 0.5 : size + 0.5) - set.replicas();
}

int64_t proportion_of(const Rollout& rollout, const Set& set, int64_t to_add, int64_t added) {
  if (set.replicas() == 0 || to_add == 0 || to_add == added) return 0;
  const int64_t fraction = fraction_of(rollout, set), allowed = to_add - added;
  return to_add > 0 ? std::min(fraction, allowed) : std::max(fraction, allowed);
}

void scale_in_proportion(Rollout& rollout) {
  std::vector<Set*> active;
  for (Set& set : rollout.sets)
    if (set.replicas() > 0) active.push_back(&set);
  int64_t total = 0;
  for (const Set* set : active) total += set->replicas();
  const int64_t allowed = rollout.replicas() > 0 ? rollout.replicas() + max_surge(rollout.deployment) : 0;
  const int64_t to_add = allowed - total;
  // Larger sets first; of equal ones the newer grows first and the older shrinks first.
  std::sort(active.begin(), active.end(), [to_add](const Set* a, const Set* b) {
    if (a->replicas() != b->replicas()) return a->replicas() > b->replicas();
    return to_add > 0 ? is_older(b->object, a->object) : is_older(a->object, b->object);
  });
  std::vector<int64_t> sizes;
  int64_t added = 0;
  for (const Set* set : active) {
    int64_t share = proportion_of(rollout, *set, to_add, added);
    added += share;
    sizes.push_back(set->replicas() + share);
  }
  for (size_t i = 0; i < active.size(); ++i) {
    // What rounding left over falls to the largest set.
    if (i == 0 && to_add != 0) sizes[i] = std::max<int64_t>(sizes[i] + to_add - added, 0);
    set_size(rollout, *active[i], sizes[i]);
  }
}

// The one active set; with none active, the current or else the newest. Null where several are active.
Set* find_active_or_latest(Rollout& rollout) {
  Set* active = nullptr;
  for (Set& set : rollout.sets) {
    if (set.replicas() == 0) continue;
    if (active) return nullptr;
    active = &set;
  }
  if (active) return active;
  if (rollout.current) return rollout.current_set();
  return rollout.sets.empty() ? nullptr : &rollout.sets.back();
}

bool is_saturated(const Rollout& rollout) {
  const Set* set = rollout.current_set();
  if (!set) return false;
  return set->replicas() == rollout.replicas() &&
         number_annotation(*set, annotation::desired_replicas) == rollout.replicas() &&
         set->status("availableReplicas") == rollout.replicas();
}

}  // namespace

bool is_rolling_update(const Value& deployment) {
  return deployment["spec"]["strategy"]["type"].as_string() == "RollingUpdate";
}

int64_t max_surge(const Value& deployment) {
  return is_rolling_update(deployment) ? resolve_fences(deployment).surge : 0;
}

int64_t max_unavailable(const Value& deployment) {
  const int64_t replicas = deployment["spec"]["replicas"].as_int(1);
  if (!is_rolling_update(deployment) || replicas == 0) return 0;
  return std::min(resolve_fences(deployment).unavailable, replicas);
}

int64_t next_size_of_current(const Value& deployment, int64_t current, int64_t others) {
  const int64_t replicas = deployment["spec"]["replicas"].as_int(1);
  if (!is_rolling_update(deployment)) return replicas;
  const Value& surge = deployment["spec"]["strategy"]["rollingUpdate"]["maxSurge"];
  const int64_t room = replicas + scaled_int_or_percent(surge, replicas, true).value_or(0) - current - others;
  if (room <= 0) return current;
  return current + std::min(room, replicas - current);
}

bool resize(Rollout& rollout, Set& set, int64_t replicas) {
  if (set.replicas() == replicas) return false;
  set_size(rollout, set, replicas);
  return true;
}

void scale(Rollout& rollout) {
  if (Set* only = find_active_or_latest(rollout)) {
    set_size(rollout, *only, rollout.replicas());
  } else if (is_saturated(rollout)) {
    for (Set* old : rollout.old_sets()) resize(rollout, *old, 0);
  } else if (is_rolling_update(rollout.deployment)) {
    scale_in_proportion(rollout);
  }
}

bool is_scaling_event(const Rollout& rollout) {
  for (const Set& set : rollout.sets) {
    if (set.replicas() == 0) continue;
    auto desired = number_annotation(set, annotation::desired_replicas);
    if (desired && *desired != rollout.replicas()) return true;
  }
  return false;
}

bool grow_current(Rollout& rollout) {
  Set* set = rollout.current_set();
  if (!set || set->replicas() == rollout.replicas()) return false;
  if (set->replicas() > rollout.replicas()) return resize(rollout, *set, rollout.replicas());
  const int64_t others = rollout.total_replicas() - set->replicas();
  return resize(rollout, *set, next_size_of_current(rollout.deployment, set->replicas(), others));
}

namespace {

// Available pods that a set will keep: a status from before the set shrank counts pods that go.
int64_t lasting_available(const Set& set) { return std::min(set.replicas(), set.status("availableReplicas")); }

}  // namespace

bool shrink_old(Rollout& rollout) {
  std::vector<Set*> old = rollout.old_sets();
  int64_t old_replicas = 0;
  for (const Set* set : old) old_replicas += set->replicas();
  if (old_replicas == 0) return false;

  const int64_t min_available = rollout.replicas() - max_unavailable(rollout.deployment);
  int64_t current_unavailable = 0;
  if (const Set* set = rollout.current_set()) current_unavailable = set->replicas() - lasting_available(*set);
  const int64_t most = rollout.total_replicas() - min_available - current_unavailable;
  if (most <= 0) return false;

  // Pods that serve nobody go first, whatever their revision.
  int64_t cleaned = 0;
  for (Set* set : old) {
    if (cleaned >= most) break;
    const int64_t unhealthy = set->replicas() - set->status("availableReplicas");
    if (set->replicas() == 0 || unhealthy <= 0) continue;
    const int64_t count = std::min(most - cleaned, unhealthy);
    resize(rollout, *set, set->replicas() - count);
    cleaned += count;
  }
  int64_t available = 0;
  for (const Set& set : rollout.sets) available += lasting_available(set);
  const int64_t spare = available - min_available;
  int64_t shrunk = 0;
  for (Set* set : old) {
    if (shrunk >= spare) break;
    const int64_t count = std::min(set->replicas(), spare - shrunk);
    resize(rollout, *set, set->replicas() - count);
    shrunk += count;
  }
  return cleaned + shrunk > 0;
}

}  // namespace orch::plan::rollout
