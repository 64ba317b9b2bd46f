#pragma once
// The verbs' rows, each made by its own file (verb_get.cpp, ...). Exit codes besides 0, 1 and 2: none.

#include <vector>

#include "cli/verb.h"

namespace orch::cli {

std::vector<Verb> get_verbs();
std::vector<Verb> apply_verbs();
std::vector<Verb> delete_verbs();
std::vector<Verb> cluster_verbs();

}  // namespace orch::cli
