#pragma once
// Admission: what other objects say about this one. Each plugin is a small class in one table
// (admission.cpp); they run in order, first all that change, then (after validation) all that only
// look. Names follow kube-apiserver's plugins.

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/value.h"
#include "schema/graph.h"
#include "store/store.h"

namespace orch::api {

struct AdmissionRequest {
  const schema::Kind& kind;
  std::string_view verb;  // create, update, delete
  std::string_view subresource;
  std::string_view ns;
  std::string_view name;
  const Value* old_object;  // null on create
  bool dry_run;
};

class AdmissionPlugin {
 public:
  virtual ~AdmissionPlugin() = default;
  virtual std::string_view name() const = 0;
  // The object, perhaps changed. Errors refuse the request.
  virtual Result<Value> mutate(const AdmissionRequest&, Value object) { return object; }
  virtual Result<void> validate(const AdmissionRequest&, const Value&) { return {}; }
  // The object was not stored after all: give back what mutate() reserved.
  virtual void release(const AdmissionRequest&, const Value&) {}
  // The object is gone or has changed from `old_object` to `object` (null: gone), durably.
  virtual void observe(const schema::Kind&, const Value& /*old_object*/, const Value& /*object*/) {}
};

struct AdmissionOptions {
  std::string service_cidr = "10.43.0.0/16";
  std::string cluster_dns = "10.43.0.10";
  // Pods get a token of their service account (kube-api-access-...).
  bool mount_account_tokens = false;
  int node_port_min = 30000;
  int node_port_max = 32767;
};

class Admission {
 public:
  explicit Admission(std::vector<std::unique_ptr<AdmissionPlugin>> plugins) : plugins_(std::move(plugins)) {}
  Result<Value> mutate(const AdmissionRequest& request, Value object);
  Result<void> validate(const AdmissionRequest& request, const Value& object);
  void release(const AdmissionRequest& request, const Value& object);
  void observe(const schema::Kind& kind, const Value& old_object, const Value& object);

 private:
  std::vector<std::unique_ptr<AdmissionPlugin>> plugins_;
};

// The built-in plugins, in kube-apiserver's order. Borrows the store.
Result<std::unique_ptr<Admission>> builtin_admission(const store::Store& store, const AdmissionOptions& options);

}  // namespace orch::api
