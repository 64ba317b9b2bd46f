#pragma once
// What every namespace that lives has: the ServiceAccount `default`, and the ConfigMap
// `kube-root-ca.crt` by which pods check the API server's certificate.

#include "plan/core/snapshot.h"

namespace orch::plan {

Plan reconcile_default_service_account(const Snapshot& snapshot, const ObjectKey& key, const Context& context);
Plan reconcile_root_ca(const Snapshot& snapshot, const ObjectKey& key, const Context& context);
Reconciler default_service_account_reconciler();
Reconciler root_ca_reconciler();

}  // namespace orch::plan
