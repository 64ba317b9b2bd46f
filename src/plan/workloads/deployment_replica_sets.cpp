// Which ReplicaSet is the current one, revisions, and the history that rollbacks need.

#include <algorithm>
#include <limits>

#include "base/random.h"
#include "base/text.h"
#include "data/hash.h"
#include "data/json.h"
#include "plan/core/status.h"
#include "plan/workloads/deployment_rollout.h"

namespace orch::plan::rollout {

namespace {

// Annotations of the deployment that are not for its ReplicaSets.
constexpr std::string_view not_copied[] = {
    "kubectl.kubernetes.io/last-applied-configuration",
    annotation::revision,
    annotation::revision_history,
    annotation::desired_replicas,
    annotation::max_replicas,
    "deprecated.deployment.rollback.to",
};
// Characters that the history of revisions may take.
constexpr size_t history_limit = 2000;

int64_t revision_of(const Value& object) { return parse_int(annotation_of(object, annotation::revision)).value_or(0); }

int64_t highest_old_revision(Rollout& rollout) {
  int64_t highest = 0;
  for (const Set* set : rollout.old_sets()) highest = std::max(highest, revision_of(set->object));
  return highest;
}

void copy_annotations(const Value& deployment, Set& set) {
  for (const Member& member : annotations_of(deployment).members()) {
    if (std::find(std::begin(not_copied), std::end(not_copied), member.name()) != std::end(not_copied)) continue;
    if (annotations_of(set.object)[member.name()] == member.value) continue;
    set.object = set.object.with_path({"metadata", "annotations", member.name()}, member.value);
  }
}

// The revisions that this set was before, the oldest forgotten where they take too much room.
std::string appended_history(std::string_view history, std::string_view revision) {
  if (history.empty()) return std::string(revision);
  while (history.size() + revision.size() + 1 > history_limit) {
    size_t comma = history.find(',');
    if (comma == std::string_view::npos) return std::string(revision);
    history.remove_prefix(comma + 1);
  }
  return std::string(history) + "," + std::string(revision);
}

// A set that becomes the current one again gets a new revision and remembers the old.
void sync_revision(Set& set, int64_t revision) {
  std::string old(annotation_of(set.object, annotation::revision));
  int64_t old_revision = 0;
  if (!old.empty()) {
    auto parsed = parse_int(old);
    if (!parsed) return;
    old_revision = *parsed;
  }
  if (old_revision >= revision) return;
  if (!old.empty()) {
    std::string history = appended_history(annotation_of(set.object, annotation::revision_history), old);
    set.object = with_annotation(set.object, annotation::revision_history, history);
  }
  set.object = with_annotation(set.object, annotation::revision, std::to_string(revision));
}

void set_revision(Rollout& rollout, const Set& set) {
  std::string_view revision = annotation_of(set.object, annotation::revision);
  if (annotation_of(rollout.deployment, annotation::revision) != revision) rollout.revision = revision;
}

Value new_set_object(const Rollout& rollout, const std::string& hash, const std::string& name) {
  const Value& deployment = rollout.deployment;
  const Value& spec = deployment["spec"];
  Value pod_template = spec["template"].with_path({"metadata", "labels", hash_label}, Value(hash));
  ObjectBuilder set_spec;
  set_spec.set("replicas", 0);
  set_spec.set_if("minReadySeconds", spec["minReadySeconds"]);
  set_spec.set("selector", spec["selector"].with_path({"matchLabels", hash_label}, Value(hash)));
  set_spec.set("template", pod_template);
  Value meta = Value::object({{"name", name},
                              {"namespace", Value(namespace_of(deployment))},
                              {"labels", pod_template["metadata"]["labels"]},
                              {"ownerReferences", Value::list({controller_reference(types::deployments, deployment)})}});
  return Value::object({{"apiVersion", "apps/v1"},
                        {"kind", "ReplicaSet"},
                        {"metadata", meta},
                        {"spec", std::move(set_spec).build()}});
}

std::string set_name(std::string_view deployment, const std::string& hash) {
  constexpr size_t longest = 253;
  return std::string(deployment.substr(0, longest - hash.size() - 1)) + "-" + hash;
}

void create_current(Rollout& rollout, const Snapshot& snapshot, int64_t revision) {
  const std::string hash = template_hash(rollout.spec()["template"], rollout.collision_count);
  const std::string name = set_name(name_of(rollout.deployment), hash);
  // Somebody else has the name: another template of the same hash, or no set of ours. The next
  // hash takes the count of collisions in.
  if (!snapshot.get(types::replica_sets, namespace_of(rollout.deployment), name).is_null()) {
    rollout.collision_count = rollout.collision_count.value_or(0) + 1;
    rollout.stop = true;
    return;
  }
  Set set;
  set.object = new_set_object(rollout, hash, name);
  copy_annotations(rollout.deployment, set);
  sync_revision(set, revision);
  const int64_t size = next_size_of_current(rollout.deployment, 0, rollout.total_replicas());
  set.object = with_annotation(set.object, annotation::desired_replicas, std::to_string(rollout.replicas()));
  set.object = with_annotation(set.object, annotation::max_replicas,
                               std::to_string(rollout.replicas() + max_surge(rollout.deployment)));
  if (size > 0) {
    set.object = set.object.with_path({"spec", "replicas"}, Value(size));
    std::string message = "Scaled up replica set " + name + " from 0 to " + std::to_string(size);
    set.notes.push_back(Note{NoteType::normal, "ScalingReplicaSet", std::move(message), {}});
  }
  set_revision(rollout, set);
  if (rollout.last_failure) {
    rollout.creation_failed = true;
    std::string message = "Failed to create new replica set " + quote(name) + ": " + rollout.last_failure->message();
    if (rollout.has_progress_deadline())
      rollout.conditions = set_progress(rollout, "False", "ReplicaSetCreateError", message);
  } else if (rollout.has_progress_deadline()) {
    std::string message = "Created new replica set " + quote(name);
    rollout.conditions = set_progress(rollout, "True", "NewReplicaSetCreated", message);
  }
  rollout.sets.push_back(std::move(set));
  rollout.current = rollout.sets.size() - 1;
}

}  // namespace

std::string template_hash(const Value& pod_template, std::optional<int64_t> collision_count) {
  std::string text = format_json(pod_template);
  if (collision_count) text += "#" + std::to_string(*collision_count);
  return safe_encode(std::to_string(fnv1a_32(text)));
}

bool same_template(const Value& a, const Value& b) {
  auto without_hash = [](const Value& pod_template) {
    const Value& labels = pod_template["metadata"]["labels"];
    if (!labels.has(hash_label)) return pod_template;
    Value rest = labels.without(hash_label);
    return pod_template.with_path({"metadata", "labels"}, rest.empty() ? std::nullopt : std::optional(rest));
  };
  return without_hash(a) == without_hash(b);
}

void find_current(Rollout& rollout) {
  for (size_t i = 0; i < rollout.sets.size(); ++i) {
    if (!same_template(rollout.sets[i].object["spec"]["template"], rollout.spec()["template"])) continue;
    rollout.current = i;
    return;
  }
}

void sync_current(Rollout& rollout, const Snapshot& snapshot, Missing missing) {
  const int64_t revision = highest_old_revision(rollout) + 1;
  Set* set = rollout.current_set();
  if (!set) {
    if (missing == Missing::create) create_current(rollout, snapshot, revision);
    return;
  }
  copy_annotations(rollout.deployment, *set);
  sync_revision(*set, revision);
  const int64_t min_ready = rollout.spec()["minReadySeconds"].as_int();
  if (set->object["spec"]["minReadySeconds"].as_int() != min_ready)
    set->object = set->object.with_path({"spec", "minReadySeconds"},
                                        min_ready == 0 ? std::nullopt : std::optional(Value(min_ready)));
  set_revision(rollout, *set);
  if (rollout.has_progress_deadline() && find_condition(rollout.conditions, "Progressing").is_null()) {
    std::string message = "Found new replica set " + quote(set->name());
    rollout.conditions = set_progress(rollout, "True", "FoundNewReplicaSet", message);
  }
}

void remove_old_revisions(Rollout& rollout) {
  const Value& limit = rollout.spec()["revisionHistoryLimit"];
  if (limit.is_null() || limit.as_int() == std::numeric_limits<int32_t>::max()) return;
  std::vector<Set*> old;
  for (Set* set : rollout.old_sets())
    if (!is_deleting(set->object)) old.push_back(set);
  const int64_t surplus = static_cast<int64_t>(old.size()) - limit.as_int();
  std::stable_sort(old.begin(), old.end(),
                   [](const Set* a, const Set* b) { return revision_of(a->object) < revision_of(b->object); });
  for (int64_t i = 0; i < surplus; ++i) {
    Set& set = *old[static_cast<size_t>(i)];
    const bool observed = generation_of(set.object) <= set.status("observedGeneration");
    set.removed = set.replicas() == 0 && set.status("replicas") == 0 && observed;
  }
}

}  // namespace orch::plan::rollout
