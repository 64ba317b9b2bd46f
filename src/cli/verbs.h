#pragma once
// The verbs' rows, each made by its own file (verb_get.cpp, ...). Exit codes besides 0, 1 and 2: none.

#include <vector>

#include "cli/verb.h"

namespace orch::cli {

std::vector<Verb> get_verbs();
std::vector<Verb> apply_verbs();
std::vector<Verb> delete_verbs();
std::vector<Verb> cluster_verbs();
std::vector<Verb> describe_verbs();
std::vector<Verb> explain_verbs();
std::vector<Verb> create_verbs();
std::vector<Verb> edit_verbs();
std::vector<Verb> change_verbs();
std::vector<Verb> label_verbs();
std::vector<Verb> node_verbs();
std::vector<Verb> wait_verbs();
std::vector<Verb> rollout_verbs();
std::vector<Verb> config_verbs();
std::vector<Verb> image_verbs();
std::vector<Verb> logs_verbs();
std::vector<Verb> exec_verbs();
std::vector<Verb> port_forward_verbs();
std::vector<Verb> top_verbs();
std::vector<Verb> cp_verbs();
std::vector<Verb> check_verbs();

}  // namespace orch::cli
