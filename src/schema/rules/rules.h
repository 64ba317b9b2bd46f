#pragma once
// What the files of this folder add to the table of hooks. To add a hook: write the function, name
// it in its file's table. A test compares the tables with kinds/*.schema.

#include "schema/hooks.h"

namespace orch::schema::rules {

void add_access_rules(Hooks& hooks);
void add_batch_rules(Hooks& hooks);
void add_container_rules(Hooks& hooks);
void add_conversions(Hooks& hooks);
void add_core_defaults(Hooks& hooks);
void add_core_prepare(Hooks& hooks);
void add_core_rules(Hooks& hooks);
void add_meta_rules(Hooks& hooks);
void add_network_rules(Hooks& hooks);
void add_other_rules(Hooks& hooks);
void add_pod_container_rules(Hooks& hooks);
void add_pod_defaults(Hooks& hooks);
void add_pod_prepare(Hooks& hooks);
void add_pod_rules(Hooks& hooks);
void add_pod_spec_rules(Hooks& hooks);
void add_service_rules(Hooks& hooks);
void add_volume_rules(Hooks& hooks);
void add_workload_defaults(Hooks& hooks);
void add_workload_rules(Hooks& hooks);

// Shared between files.
std::string_view pod_qos_class(const Value& spec);
// One name: its form is named at `path`, that it is no known one at `item`.
void check_finalizer(const Value& finalizer, const FieldPath& path, const FieldPath& item, Causes& causes);
void check_finalizers(const Value& finalizers, const FieldPath& path, Causes& causes);
void check_balancer_hostname(const Value& hostname, const FieldPath& path, Causes& causes);

}  // namespace orch::schema::rules
