#include <algorithm>

#include "base/text.h"
#include "plan/sched/plugin.h"

namespace orch::plan::sched {

void Reasons::add(std::string_view reason, size_t nodes) {
  auto known = counts_.find(reason);
  if (known == counts_.end()) known = counts_.emplace(reason, 0).first;
  known->second += nodes;
}

std::string Reasons::format() const {
  std::vector<std::string> texts;
  for (const auto& [reason, nodes] : counts_) texts.push_back(std::to_string(nodes) + " " + reason);
  std::sort(texts.begin(), texts.end());
  return join(texts, ", ");
}

}  // namespace orch::plan::sched
