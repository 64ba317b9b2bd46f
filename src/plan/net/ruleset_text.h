#pragma once
// Rulesets and changes in the syntax of nft(8): for golden cases, the log and the judge (`nft -f`).

#include <string>

#include "plan/net/ruleset.h"

namespace orch::plan::net {

std::string format_rule(const Rule& rule);
// A whole table, sorted by name.
std::string format_ruleset(const Ruleset& ruleset);
// The commands that do the same as the changes.
std::string format_changes(const Changes& changes, const Ruleset& keys_of_sets);

}  // namespace orch::plan::net
