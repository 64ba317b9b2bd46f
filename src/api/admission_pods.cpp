#include "api/admission_pods.h"

#include <algorithm>
#include <array>

#include "api/status.h"
#include "base/text.h"

namespace orch::api {

namespace {

bool is_new_pod(const AdmissionRequest& request) {
  return request.verb == "create" && request.kind.group.empty() && request.kind.kind == "Pod" &&
         request.subresource.empty();
}

class ServiceAccountPlugin final : public AdmissionPlugin {
 public:
  explicit ServiceAccountPlugin(const store::Store& store) : store_(store) {}
  std::string_view name() const override { return "ServiceAccount"; }

  Result<Value> mutate(const AdmissionRequest& request, Value pod) override {
    if (!is_new_pod(request)) return pod;
    // A mirror pod speaks for a manifest on its node, which has no account.
    if (pod["metadata"]["annotations"].has("kubernetes.io/config.mirror")) return pod;
    std::string account(pod["spec"]["serviceAccountName"].as_string("default"));
    if (account.empty()) account = "default";
    std::string key = "/registry/core/serviceaccounts/" + std::string(request.ns) + "/" + account;
    // "default" comes a moment after its namespace; a pod need not wait for that.
    if (account != "default" && !store_.get(key)) {
      return forbidden(request.kind, request.name,
                       "error looking up service account " + std::string(request.ns) + "/" + account +
                           ": serviceaccount " + quote(account) + " not found");
    }
    ObjectBuilder spec(pod["spec"]);
    spec.set("serviceAccountName", account).set("serviceAccount", account);
    return pod.with("spec", std::move(spec).build());
  }

 private:
  const store::Store& store_;
};

class DefaultTolerationSeconds final : public AdmissionPlugin {
 public:
  std::string_view name() const override { return "DefaultTolerationSeconds"; }

  Result<Value> mutate(const AdmissionRequest& request, Value pod) override {
    if (!is_new_pod(request)) return pod;
    std::vector<Value> tolerations(pod["spec"]["tolerations"].items().begin(), pod["spec"]["tolerations"].items().end());
    for (std::string_view key : {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}) {
      bool tolerated = std::ranges::any_of(tolerations, [&](const Value& toleration) {
        std::string_view effect = toleration["effect"].as_string();
        std::string_view of = toleration["key"].as_string();
        return (of == key || of.empty()) && (effect == "NoExecute" || effect.empty());
      });
      if (tolerated) continue;
      tolerations.push_back(Value::object(
          {{"key", key}, {"operator", "Exists"}, {"effect", "NoExecute"}, {"tolerationSeconds", 300}}));
    }
    return pod.with_path({"spec", "tolerations"}, Value::list(std::move(tolerations)));
  }
};

struct BuiltinPriority {
  std::string_view name;
  int64_t value;
};
constexpr std::array<BuiltinPriority, 2> kBuiltinPriorities{
    {{"system-cluster-critical", 2'000'000'000}, {"system-node-critical", 2'000'001'000}}};

class PriorityPlugin final : public AdmissionPlugin {
 public:
  explicit PriorityPlugin(const store::Store& store) : store_(store) {}
  std::string_view name() const override { return "Priority"; }

  Result<Value> mutate(const AdmissionRequest& request, Value pod) override {
    if (!is_new_pod(request)) return pod;
    std::string wanted(pod["spec"]["priorityClassName"].as_string());
    ObjectBuilder spec(pod["spec"]);
    Resolved resolved;
    if (wanted.empty()) {
      TRY(resolved, global_default());
    } else {
      TRY(resolved, of_class(request, wanted));
    }
    if (pod["spec"].has("priority") && pod["spec"]["priority"].as_int() != resolved.value) {
      return forbidden(request.kind, request.name,
                       "the integer value of priority (" + std::to_string(pod["spec"]["priority"].as_int()) +
                           ") must not be provided in pod spec; priority admission controller computed " +
                           std::to_string(resolved.value) + " from the given PriorityClass name");
    }
    spec.set_if("priorityClassName", resolved.class_name);
    spec.set("priority", resolved.value);
    if (!pod["spec"].has("preemptionPolicy")) spec.set("preemptionPolicy", resolved.policy);
    return pod.with("spec", std::move(spec).build());
  }

 private:
  struct Resolved {
    std::string class_name;
    int64_t value = 0;
    std::string policy = "PreemptLowerPriority";
  };

  static Resolved from_object(const Value& priority_class) {
    Resolved resolved;
    resolved.class_name = priority_class["metadata"]["name"].as_string();
    resolved.value = priority_class["value"].as_int();
    resolved.policy = priority_class["preemptionPolicy"].as_string("PreemptLowerPriority");
    return resolved;
  }

  Result<Resolved> of_class(const AdmissionRequest& request, const std::string& wanted) const {
    for (const BuiltinPriority& builtin : kBuiltinPriorities) {
      if (builtin.name == wanted) return Resolved{wanted, builtin.value, "PreemptLowerPriority"};
    }
    store::StoredPtr found = store_.get("/registry/scheduling.k8s.io/priorityclasses/" + wanted);
    if (found) return from_object(found->value);
    return forbidden(request.kind, request.name, "no PriorityClass with name " + wanted + " was found");
  }

  Result<Resolved> global_default() const {
    TRY(store::RangeResult classes, store_.range("/registry/scheduling.k8s.io/priorityclasses/", "", 0, 0));
    std::optional<Resolved> lowest;  // of several, the one with the least value counts
    for (const store::StoredPtr& item : classes.items) {
      if (!item->value["globalDefault"].as_bool()) continue;
      Resolved candidate = from_object(item->value);
      if (!lowest || candidate.value < lowest->value) lowest = std::move(candidate);
    }
    return lowest.value_or(Resolved{});
  }

  const store::Store& store_;
};

}  // namespace

std::unique_ptr<AdmissionPlugin> make_service_account_plugin(const store::Store& store) {
  return std::make_unique<ServiceAccountPlugin>(store);
}

std::unique_ptr<AdmissionPlugin> make_default_toleration_plugin() {
  return std::make_unique<DefaultTolerationSeconds>();
}

std::unique_ptr<AdmissionPlugin> make_priority_plugin(const store::Store& store) {
  return std::make_unique<PriorityPlugin>(store);
}

}  // namespace orch::api
