// What becomes of a pod on its way into the store: its first status, and which parts each
// subresource may change.

#include <algorithm>
#include <array>
#include <map>

#include "data/quantity.h"
#include "schema/rules/edit.h"
#include "schema/rules/rules.h"

namespace orch::schema::rules {

namespace {

constexpr std::array<std::string_view, 2> kQosResources{"cpu", "memory"};
using Totals = std::map<std::string_view, Quantity>;

// Adds what is above zero; says whether all of the resources were.
bool add_up(const Value& amounts, Totals& totals) {
  bool all = true;
  for (std::string_view name : kQosResources) {
    Quantity quantity = Quantity::from(amounts[name]);
    if (quantity.sign() > 0) {
      totals[name] = totals[name] + quantity;
    } else {
      all = false;
    }
  }
  return all;
}

}  // namespace

std::string_view pod_qos_class(const Value& spec) {
  Totals requests, limits;
  bool guaranteed = true;
  for (std::string_view list : {"containers", "initContainers"}) {
    for (const Value& container : spec[list].items()) {
      add_up(container["resources"]["requests"], requests);
      if (!add_up(container["resources"]["limits"], limits)) guaranteed = false;
    }
  }
  if (requests.empty() && limits.empty()) return "BestEffort";
  return guaranteed && requests == limits ? "Guaranteed" : "Burstable";
}

namespace {

// matchLabelKeys become requirements of the term's own selector.
Value merge_label_keys(const Value& term, const Value& labels) {
  if (term["labelSelector"].is_null()) return term;
  Value expressions = term["labelSelector"]["matchExpressions"];
  auto add = [&](std::string_view keys, std::string_view op) {
    for (const Value& key : term[keys].items()) {
      const Value* value = labels.find(text(key));
      if (!value) continue;
      expressions = expressions.appended(
          Value::object({{"key", key}, {"operator", op}, {"values", Value::list({*value})}}));
    }
  };
  add("matchLabelKeys", "In");
  add("mismatchLabelKeys", "NotIn");
  if (expressions.same(term["labelSelector"]["matchExpressions"])) return term;
  return term.with_path({"labelSelector", "matchExpressions"}, std::move(expressions));
}

Value merge_affinity(const Value& affinity, const Value& labels) {
  auto required = [&](const Value& terms) {
    return map_items(terms, [&](const Value& term) { return merge_label_keys(term, labels); });
  };
  auto preferred = [&](const Value& terms) {
    return map_items(terms, [&](const Value& weighted) {
      return map_member(weighted, "podAffinityTerm",
                        [&](const Value& term) { return merge_label_keys(term, labels); });
    });
  };
  Value result = affinity;
  for (std::string_view kind : {"podAffinity", "podAntiAffinity"}) {
    result = map_member(result, kind, [&](const Value& rules) {
      Value changed = map_member(rules, "requiredDuringSchedulingIgnoredDuringExecution", required);
      return map_member(changed, "preferredDuringSchedulingIgnoredDuringExecution", preferred);
    });
  }
  return result;
}

Value create_pod(const Value& pod) {
  const Value& spec = pod["spec"];
  ObjectBuilder status;
  status.set("phase", "Pending");
  status.set("qosClass", pod_qos_class(spec));
  if (!spec["schedulingGates"].empty()) {
    Value gated = Value::object({{"type", "PodScheduled"},
                                 {"status", "False"},
                                 {"lastProbeTime", nullptr},
                                 {"lastTransitionTime", nullptr},
                                 {"reason", "SchedulingGated"},
                                 {"message", "Scheduling is blocked due to non-empty scheduling gates"}});
    status.set("conditions", Value::list({std::move(gated)}));
  }
  Value result = pod.with("status", std::move(status).build());
  return map_member(result, "spec", [&](const Value& old_spec) {
    return map_member(old_spec, "affinity", [&](const Value& affinity) {
      return merge_affinity(affinity, pod["metadata"]["labels"]);
    });
  });
}

Value update_status(const Value& old_pod, const Value& pod) {
  Value result = pod;
  if (is_empty(pod["status"]["qosClass"]) && !is_empty(old_pod["status"]["qosClass"])) {
    result = result.with_path({"status", "qosClass"}, old_pod["status"]["qosClass"]);
  }
  if (is_empty(pod["status"]["observedGeneration"]) && !is_empty(old_pod["status"]["observedGeneration"])) {
    result = result.with_path({"status", "observedGeneration"}, old_pod["status"]["observedGeneration"]);
  }
  const Value& owners = old_pod["metadata"]["ownerReferences"];
  if (result["metadata"]["ownerReferences"] != owners) {
    result = result.with_path({"metadata", "ownerReferences"},
                              owners.is_null() ? std::nullopt : std::optional(owners));
  }
  return result;
}

// The old pod as the new write's base: its resourceVersion is what the write is checked by.
Value based_on(const Value& old_pod, const Value& pod) {
  const Value& version = pod["metadata"]["resourceVersion"];
  return version.is_null() ? old_pod : old_pod.with_path({"metadata", "resourceVersion"}, version);
}

// The old pod with one list of the new one.
Value update_ephemeral_containers(const Value& old_pod, const Value& pod) {
  Value result = based_on(old_pod, pod);
  const Value& list = pod["spec"]["ephemeralContainers"];
  return result.with_path({"spec", "ephemeralContainers"}, list.empty() ? std::nullopt : std::optional(list));
}

// The old pod with the new one's resources and resize policies.
Value update_resources(const Value& old_pod, const Value& pod) {
  Value result = based_on(old_pod, pod);
  for (std::string_view list : {"containers", "initContainers"}) {
    const Value& after = pod["spec"][list];
    if (after.size() != old_pod["spec"][list].size()) {
      result = result.with_path({"spec", list}, after);  // refused by validation
      continue;
    }
    size_t i = 0;
    Value merged = map_items(old_pod["spec"][list], [&](const Value& container) {
      const Value& wanted = after.at(i++);
      if (wanted["name"] != container["name"]) return wanted;
      Value changed = container;
      for (std::string_view name : {"resources", "resizePolicy"}) {
        if (wanted[name] == container[name]) continue;
        changed = wanted[name].is_null() ? changed.without(name) : changed.with(name, wanted[name]);
      }
      return changed;
    });
    if (merged.is_list()) result = result.with_path({"spec", list}, std::move(merged));
  }
  return result;
}

Value prepare_pod(const Value* old_pod, const Value& pod, const WriteContext& write) {
  if (!old_pod) return create_pod(pod);
  if (write.subresource == "status") return update_status(*old_pod, pod);
  if (write.subresource == "ephemeralcontainers") return update_ephemeral_containers(*old_pod, pod);
  if (write.subresource == "resize") return update_resources(*old_pod, pod);
  return pod;
}

constexpr Hooks::Named<PrepareHook> kPrepares[]{{"pod", {prepare_pod}}};

}  // namespace

void add_pod_prepare(Hooks& hooks) { hooks.add<PrepareHook>(kPrepares); }

}  // namespace orch::schema::rules
