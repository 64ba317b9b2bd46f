#include "api/admission.h"

#include "api/admission_pods.h"
#include "api/admission_services.h"
#include "api/status.h"
#include "base/text.h"

namespace orch::api {

namespace {

// Nothing is made in a namespace that is not there or on its way out.
class NamespaceLifecycle final : public AdmissionPlugin {
 public:
  explicit NamespaceLifecycle(const store::Store& store) : store_(store) {}
  std::string_view name() const override { return "NamespaceLifecycle"; }

  Result<Value> mutate(const AdmissionRequest& request, Value object) override {
    if (request.verb != "create" || !request.kind.namespaced) return object;
    store::StoredPtr found = store_.get("/registry/core/namespaces/" + std::string(request.ns));
    if (!found) {
      return Error::make(Code::not_found, "namespaces " + quote(request.ns) + " not found")
          .about("", "namespaces", request.ns);
    }
    if (found->value["metadata"].has("deletionTimestamp")) {
      return forbidden(request.kind, request.name,
                       "unable to create new content in namespace " + std::string(request.ns) +
                           " because it is being terminated");
    }
    return object;
  }

 private:
  const store::Store& store_;
};

// A claim without a class gets the default one.
class DefaultStorageClass final : public AdmissionPlugin {
 public:
  explicit DefaultStorageClass(const store::Store& store) : store_(store) {}
  std::string_view name() const override { return "DefaultStorageClass"; }

  Result<Value> mutate(const AdmissionRequest& request, Value object) override {
    if (request.verb != "create" || request.kind.kind != "PersistentVolumeClaim") return object;
    bool says_it = object["spec"].has("storageClassName") ||
                   object["metadata"]["annotations"].has("volume.beta.kubernetes.io/storage-class");
    if (says_it) return object;
    TRY(store::RangeResult classes, store_.range("/registry/storage.k8s.io/storageclasses/", "", 0, 0));
    const Value* newest = nullptr;
    for (const store::StoredPtr& item : classes.items) {
      const Value& metadata = item->value["metadata"];
      if (metadata["annotations"]["storageclass.kubernetes.io/is-default-class"].as_string() != "true") continue;
      if (!newest || metadata["creationTimestamp"].as_string() >
                         (*newest)["metadata"]["creationTimestamp"].as_string()) {
        newest = &item->value;
      }
    }
    if (!newest) return object;
    return object.with_path({"spec", "storageClassName"}, (*newest)["metadata"]["name"]);
  }

 private:
  const store::Store& store_;
};

}  // namespace

Result<Value> Admission::mutate(const AdmissionRequest& request, Value object) {
  for (size_t i = 0; i < plugins_.size(); ++i) {
    auto changed = plugins_[i]->mutate(request, object);
    if (!changed.ok()) {
      for (size_t j = 0; j < i; ++j) plugins_[j]->release(request, object);
      return std::move(changed).error();
    }
    object = std::move(changed).value();
  }
  return object;
}

Result<void> Admission::validate(const AdmissionRequest& request, const Value& object) {
  for (auto& plugin : plugins_) TRY_VOID(plugin->validate(request, object));
  return {};
}

void Admission::release(const AdmissionRequest& request, const Value& object) {
  for (auto& plugin : plugins_) plugin->release(request, object);
}

void Admission::observe(const schema::Kind& kind, const Value& old_object, const Value& object) {
  for (auto& plugin : plugins_) plugin->observe(kind, old_object, object);
}

Result<std::unique_ptr<Admission>> builtin_admission(const store::Store& store, const AdmissionOptions& options) {
  std::vector<std::unique_ptr<AdmissionPlugin>> plugins;
  plugins.push_back(std::make_unique<NamespaceLifecycle>(store));
  plugins.push_back(make_service_account_plugin(store, options.mount_account_tokens));
  plugins.push_back(make_default_toleration_plugin());
  plugins.push_back(make_priority_plugin(store));
  plugins.push_back(std::make_unique<DefaultStorageClass>(store));
  TRY(auto services, make_service_address_plugin(store, options));
  plugins.push_back(std::move(services));
  return std::make_unique<Admission>(std::move(plugins));
}

}  // namespace orch::api
