#pragma once
// Rollout: one look at a Deployment and its ReplicaSets while a plan for them is made. Decisions
// change the copies held here (sizes, annotations, conditions), so that later steps see the earlier
// ones; finish() turns what changed into actions. Inside plan/workloads only.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/value.h"
#include "plan/core/object.h"
#include "plan/core/snapshot.h"

namespace orch::plan {

namespace rollout {

namespace annotation {
inline constexpr std::string_view revision = "deployment.kubernetes.io/revision";
inline constexpr std::string_view revision_history = "deployment.kubernetes.io/revision-history";
inline constexpr std::string_view desired_replicas = "deployment.kubernetes.io/desired-replicas";
inline constexpr std::string_view max_replicas = "deployment.kubernetes.io/max-replicas";
}  // namespace annotation
inline constexpr std::string_view hash_label = "pod-template-hash";

// A ReplicaSet of the deployment.
struct Set {
  Value object;    // as it shall be
  Value original;  // as the API has it; null: to be created
  std::vector<Note> notes;
  bool removed = false;

  int64_t replicas() const { return object["spec"]["replicas"].as_int(); }
  int64_t status(std::string_view count) const { return object["status"][count].as_int(); }
  std::string name() const { return std::string(name_of(object)); }
};

struct Rollout {
  Value deployment;
  Instant now;
  std::vector<Set> sets;          // older first
  std::optional<size_t> current;  // the set of the deployment's template, if there is one
  Value conditions;               // of the new status
  std::optional<int64_t> collision_count;
  std::string revision;           // for the deployment's annotation; "" leave it
  const Error* last_failure = nullptr;
  bool creation_failed = false;   // the last time: say so before trying again
  bool stop = false;              // an unfinished step: look again before the next one

  const Value& spec() const { return deployment["spec"]; }
  int64_t replicas() const { return spec()["replicas"].as_int(1); }
  Set* current_set() { return current ? &sets[*current] : nullptr; }
  const Set* current_set() const { return current ? &sets[*current] : nullptr; }
  std::vector<Set*> old_sets();      // all but the current one, older first
  int64_t total_replicas() const;    // wanted, over all sets
  int64_t total_status(std::string_view count) const;
  bool has_progress_deadline() const;
};

// --- sizes (deployment_scaling.cpp)
bool is_rolling_update(const Value& deployment);
int64_t max_surge(const Value& deployment);
int64_t max_unavailable(const Value& deployment);
// How large the current set may be now; `others` is the wanted size of all other sets.
int64_t next_size_of_current(const Value& deployment, int64_t current, int64_t others);
// Sets a size, the size annotations and the event. True if the size changed.
bool resize(Rollout& rollout, Set& set, int64_t replicas);
// The deployment's own size changed: brings the sets along, in proportion where several are active.
void scale(Rollout& rollout);
bool is_scaling_event(const Rollout& rollout);
// One step of a rolling update; true if a set changed its size.
bool grow_current(Rollout& rollout);
bool shrink_old(Rollout& rollout);

// --- sets (deployment_replica_sets.cpp)
std::string template_hash(const Value& pod_template, std::optional<int64_t> collision_count);
bool same_template(const Value& a, const Value& b);  // whatever their pod-template-hash
void find_current(Rollout& rollout);
enum class Missing : uint8_t { create, leave };
// Keeps revision and annotations of the current set up to date, makes it where it is missing.
void sync_current(Rollout& rollout, const Snapshot& snapshot, Missing missing);
void remove_old_revisions(Rollout& rollout);

// --- status (deployment_status.cpp)
void sync_paused_condition(Rollout& rollout);
Value status_without_progress(const Rollout& rollout);
Value status_with_progress(const Rollout& rollout);
bool is_complete(const Value& deployment, const Value& status);
// Time until the progress deadline has to be looked at.
std::optional<Duration> until_deadline(const Rollout& rollout, const Value& status);
// The conditions with this Progressing one.
Value set_progress(const Rollout& rollout, std::string_view status, std::string_view reason,
                   std::string_view message);

}  // namespace rollout
}  // namespace orch::plan
