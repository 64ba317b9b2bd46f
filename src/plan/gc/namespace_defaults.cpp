#include "plan/gc/namespace_defaults.h"

#include "plan/core/object.h"

namespace orch::plan {

namespace {

constexpr std::string_view account_name = "default", config_map_name = "kube-root-ca.crt";

bool lives(const Value& ns) {
  return !ns.is_null() && !is_deleting(ns) && ns["status"]["phase"].as_string() != "Terminating";
}

Action create_anew(const Type& type, const Value& object) {
  Action action = create(type, object);
  action.exists = Conflict::ignore;
  return action;
}

Value bare(const Type& type, std::string_view ns, std::string_view name) {
  return Value::object({{"apiVersion", type.api_version()},
                        {"kind", type.kind},
                        {"metadata", Value::object({{"name", name}, {"namespace", ns}})}});
}

// A change of the object with this name is a matter for its namespace.
template <const std::string_view& name>
void keys_of_named(const Snapshot&, const Type&, const Value& old, const Value& now, std::vector<ObjectKey>& keys) {
  const Value& object = now.is_null() ? old : now;
  if (name_of(object) == name) keys.push_back(ObjectKey{"", "", std::string(namespace_of(object))});
}

}  // namespace

Plan reconcile_default_service_account(const Snapshot& snapshot, const ObjectKey& key, const Context&) {
  Plan plan;
  if (!lives(snapshot.get(types::namespaces, "", key.name))) return plan;
  if (snapshot.get(types::service_accounts, key.name, account_name).is_null())
    plan.add(create_anew(types::service_accounts, bare(types::service_accounts, key.name, account_name)));
  return plan;
}

Plan reconcile_root_ca(const Snapshot& snapshot, const ObjectKey& key, const Context& context) {
  Plan plan;
  if (context.root_ca.empty() || !lives(snapshot.get(types::namespaces, "", key.name))) return plan;
  const Value data = Value::object({{"ca.crt", context.root_ca}});
  const Value found = snapshot.get(types::config_maps, key.name, config_map_name);
  if (found.is_null()) {
    Value fresh = with_annotation(bare(types::config_maps, key.name, config_map_name), "kubernetes.io/description",
                                  "The certificate authority of the API server, for clients inside the cluster.");
    plan.add(create_anew(types::config_maps, fresh.with("data", data)));
  } else if (found["data"] != data) {
    plan.add(update(types::config_maps, found.with("data", data)));
  }
  return plan;
}

Reconciler default_service_account_reconciler() {
  return Reconciler{"serviceaccount-controller",
                    types::namespaces,
                    {{types::namespaces, own_key}, {types::service_accounts, keys_of_named<account_name>}},
                    reconcile_default_service_account};
}

Reconciler root_ca_reconciler() {
  return Reconciler{"root-ca-certificate-publisher",
                    types::namespaces,
                    {{types::namespaces, own_key}, {types::config_maps, keys_of_named<config_map_name>}},
                    reconcile_root_ca};
}

}  // namespace orch::plan
