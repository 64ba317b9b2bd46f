#pragma once
// What the files of this folder add to the table of hooks. To add a hook: write the function, name
// it in its file's table. A test compares the tables with kinds/*.schema.

#include "schema/hooks.h"

namespace orch::schema::rules {

void add_pod_defaults(Hooks& hooks);
void add_core_defaults(Hooks& hooks);
void add_workload_defaults(Hooks& hooks);

}  // namespace orch::schema::rules
