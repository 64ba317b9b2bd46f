#pragma once
// The tables of hooks that the files of this folder export; rules.cpp adds them up. To add a hook:
// write the function, name it in its file's table. A test compares the tables with kinds/*.schema.

#include "schema/hooks.h"

namespace orch::schema::rules {
}  // namespace orch::schema::rules
