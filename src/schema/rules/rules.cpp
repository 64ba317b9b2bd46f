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
  return hooks;
}

}  // namespace orch::schema
