#include "api/admission_pods.h"

#include <algorithm>
#include <array>

#include "api/status.h"
#include "base/random.h"
#include "base/text.h"

namespace orch::api {

namespace {

bool is_new_pod(const AdmissionRequest& request) {
  return request.verb == "create" && request.kind.group.empty() && request.kind.kind == "Pod" &&
         request.subresource.empty();
}

constexpr std::string_view kTokenVolume = "kube-api-access-";
constexpr std::string_view kTokenPath = "/var/run/secrets/kubernetes.io/serviceaccount";
constexpr int64_t kTokenSeconds = 3607;  // kube-apiserver's: one that nobody asks for by chance

Value token_volume(std::string_view name) {
  Value token = Value::object({{"path", "token"}, {"expirationSeconds", kTokenSeconds}});
  Value ca = Value::object({{"name", "kube-root-ca.crt"},
                            {"items", Value::list({Value::object({{"key", "ca.crt"}, {"path", "ca.crt"}})})}});
  Value field = Value::object({{"apiVersion", "v1"}, {"fieldPath", "metadata.namespace"}});
  Value ns = Value::object({{"items", Value::list({Value::object({{"path", "namespace"}, {"fieldRef", field}})})}});
  Value sources = Value::list({Value::object({{"serviceAccountToken", token}}), Value::object({{"configMap", ca}}),
                               Value::object({{"downwardAPI", ns}})});
  return Value::object({{"name", name}, {"projected", Value::object({{"defaultMode", 0644}, {"sources", sources}})}});
}

// Every container that mounts nothing there gets the account's token, the API's CA and the namespace.
Value with_token_volume(const Value& pod) {
  std::string name;
  for (const Value& volume : pod["spec"]["volumes"].items())
    if (volume["name"].as_string().starts_with(kTokenVolume)) name = volume["name"].as_string();
  const bool has_volume = !name.empty();
  if (!has_volume) name = std::string(kTokenVolume) + safe_encode(pod["metadata"]["uid"].as_string().substr(0, 5));
  const Value mount = Value::object({{"name", name}, {"readOnly", true}, {"mountPath", kTokenPath}});
  bool mounted = false;
  ObjectBuilder spec(pod["spec"]);
  for (std::string_view list : {"initContainers", "containers"}) {
    std::vector<Value> containers;
    for (const Value& container : pod["spec"][list].items()) {
      const bool taken = std::ranges::any_of(container["volumeMounts"].items(),
                                             [](const Value& each) { return each["mountPath"].as_string() == kTokenPath; });
      mounted = mounted || !taken;
      containers.push_back(taken ? container : container.with("volumeMounts", container["volumeMounts"].appended(mount)));
    }
    if (!containers.empty()) spec.set(list, Value::list(std::move(containers)));
  }
  if (!mounted) return pod;
  if (!has_volume) spec.set("volumes", pod["spec"]["volumes"].appended(token_volume(name)));
  return pod.with("spec", std::move(spec).build());
}

class ServiceAccountPlugin final : public AdmissionPlugin {
 public:
  ServiceAccountPlugin(const store::Store& store, bool mount_tokens) : store_(store), mount_tokens_(mount_tokens) {}
  std::string_view name() const override { return "ServiceAccount"; }

  Result<Value> mutate(const AdmissionRequest& request, Value pod) override {
    if (!is_new_pod(request)) return pod;
    // A mirror pod speaks for a manifest on its node, which has no account.
    if (pod["metadata"]["annotations"].has("kubernetes.io/config.mirror")) return pod;
    std::string account(pod["spec"]["serviceAccountName"].as_string("default"));
    if (account.empty()) account = "default";
    std::string key = "/registry/core/serviceaccounts/" + std::string(request.ns) + "/" + account;
    // "default" comes a moment after its namespace; a pod need not wait for that.
    store::StoredPtr found = store_.get(key);
    if (account != "default" && !found) {
      return forbidden(request.kind, request.name,
                       "error looking up service account " + std::string(request.ns) + "/" + account +
                           ": serviceaccount " + quote(account) + " not found");
    }
    ObjectBuilder spec(pod["spec"]);
    spec.set("serviceAccountName", account).set("serviceAccount", account);
    const Value& own = found ? found->value : Value::null();
    if (pod["spec"]["imagePullSecrets"].empty()) spec.set_if("imagePullSecrets", own["imagePullSecrets"]);
    pod = pod.with("spec", std::move(spec).build());
    const Value& says = pod["spec"]["automountServiceAccountToken"];
    const bool wanted = says.is_bool() ? says.as_bool() : own["automountServiceAccountToken"].as_bool(true);
    return mount_tokens_ && wanted ? with_token_volume(pod) : pod;
  }

 private:
  const store::Store& store_;
  bool mount_tokens_;
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

std::unique_ptr<AdmissionPlugin> make_service_account_plugin(const store::Store& store, bool mount_tokens) {
  return std::make_unique<ServiceAccountPlugin>(store, mount_tokens);
}

std::unique_ptr<AdmissionPlugin> make_default_toleration_plugin() {
  return std::make_unique<DefaultTolerationSeconds>();
}

std::unique_ptr<AdmissionPlugin> make_priority_plugin(const store::Store& store) {
  return std::make_unique<PriorityPlugin>(store);
}

}  // namespace orch::api
