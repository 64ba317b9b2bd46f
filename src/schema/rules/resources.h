#pragma once
// Names and amounts of resources: of containers, nodes and quotas.

#include <string_view>

#include "data/path.h"
#include "data/value.h"
#include "schema/causes.h"

namespace orch::schema::rules {

bool is_hugepages(std::string_view name);  // "hugepages-2Mi"
// With a domain that is not kubernetes.io's: counted in whole numbers.
bool is_extended(std::string_view name);
// A qualified name, and without a domain one of the standard ones.
void check_resource_name(std::string_view name, const FieldPath& path, Causes& causes);
// The same, and one that a container can ask for.
void check_container_resource(std::string_view name, const FieldPath& path, Causes& causes);
void check_quota_resource(std::string_view name, const FieldPath& path, Causes& causes);
// Not negative; whole where only whole ones exist.
void check_amount(std::string_view name, const Value& amount, const FieldPath& path, Causes& causes);

}  // namespace orch::schema::rules
