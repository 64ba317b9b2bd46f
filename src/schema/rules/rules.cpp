#include "schema/rules/rules.h"

#include "schema/rules/columns.h"

namespace orch::schema {

Hooks Hooks::builtin() {
  Hooks hooks;
  hooks.add(rules::general_columns());
  hooks.add(rules::workload_columns());
  hooks.add(rules::network_columns());
  hooks.add(rules::other_columns());
  hooks.add(rules::rows());
  rules::add_access_rules(hooks);
  rules::add_batch_rules(hooks);
  rules::add_container_rules(hooks);
  rules::add_conversions(hooks);
  rules::add_core_defaults(hooks);
  rules::add_core_prepare(hooks);
  rules::add_core_rules(hooks);
  rules::add_meta_rules(hooks);
  rules::add_network_rules(hooks);
  rules::add_other_rules(hooks);
  rules::add_pod_container_rules(hooks);
  rules::add_pod_defaults(hooks);
  rules::add_pod_prepare(hooks);
  rules::add_pod_rules(hooks);
  rules::add_pod_spec_rules(hooks);
  rules::add_service_rules(hooks);
  rules::add_volume_rules(hooks);
  rules::add_workload_defaults(hooks);
  rules::add_workload_rules(hooks);
  return hooks;
}

}  // namespace orch::schema
