#include "plan/sched/placer.h"

#include <algorithm>

namespace orch::plan::sched {

namespace {

constexpr size_t fewest_nodes = 100;
constexpr size_t lowest_percentage = 5;

void normalize(Normalize how, std::vector<int64_t>& scores) {
  if (how == Normalize::none) return;
  const int64_t highest = *std::max_element(scores.begin(), scores.end());
  for (int64_t& score : scores) {
    if (highest > 0) score = score * 100 / highest;
    if (how == Normalize::reversed) score = 100 - score;
  }
}

std::string available(size_t nodes) { return "0/" + std::to_string(nodes) + " nodes are available: "; }

}  // namespace

struct Placer::Search {
  size_t total = 0;      // nodes there are
  size_t looked_at = 0;
  size_t in_the_way = 0;  // nodes where other pods are the reason
  Reasons reasons;
  PluginMask plugins = 0;
};

size_t Placer::enough_nodes(size_t nodes) {
  if (nodes < fewest_nodes) return nodes;
  const size_t falling = nodes / 125;
  const size_t percentage = falling + lowest_percentage >= 50 ? lowest_percentage : 50 - falling;
  return std::max(fewest_nodes, nodes * percentage / 100);
}

void Placer::prepare(const Cycle& cycle) {
  states_.clear();
  filters_.clear();
  scorers_.clear();
  for (size_t i = 0; i < all_plugins().size(); ++i) {
    const Plugin& plugin = all_plugins()[i];
    const bool filters = plugin.filter && (!plugin.filters || plugin.filters(cycle.pod));
    const bool scores = plugin.score && (!plugin.scores || plugin.scores(cycle.pod));
    if (!filters && !scores) continue;
    const PluginState* state = nullptr;
    if (plugin.prepare) state = states_.emplace_back(plugin.prepare(cycle)).get();
    if (filters) filters_.push_back(Active{&plugin, i, state});
    if (scores) scorers_.push_back(Active{&plugin, i, state});
  }
}

void Placer::look_at(const Cycle& cycle, const NodeInfo& node, Search& search) {
  ++search.looked_at;
  for (const Active& active : filters_) {
    const Fit fit = active.plugin->filter(cycle, active.state, node, search.reasons);
    if (fit == Fit::yes) continue;
    search.in_the_way += fit == Fit::no;
    search.plugins |= PluginMask{1} << active.bit;
    return;
  }
  feasible_.push_back(&node);
}

void Placer::find_feasible(const Cycle& cycle, Search& search) {
  feasible_.clear();
  for (const Active& active : filters_) {
    if (!active.plugin->narrow) continue;
    auto names = active.plugin->narrow(cycle.pod);
    if (!names) continue;
    for (const std::string& name : *names)
      if (const NodeInfo* node = cycle.cluster.node(name)) look_at(cycle, *node, search);
    if (search.looked_at == search.total) return;
    search.reasons.add("node(s) didn't satisfy plugin(s) [" + std::string(active.plugin->name) + "]",
                       search.total - search.looked_at);
    search.plugins |= PluginMask{1} << active.bit;
    return;
  }
  const auto& nodes = cycle.cluster.nodes();
  const size_t enough = enough_nodes(nodes.size());
  start_ %= nodes.size();
  size_t at = start_;
  while (search.looked_at < nodes.size() && feasible_.size() < enough) {
    look_at(cycle, *nodes[at], search);
    if (++at == nodes.size()) at = 0;
  }
  start_ = at;
}

void Placer::add_scores(const Cycle& cycle) {
  totals_.assign(feasible_.size(), 0);
  scores_.resize(feasible_.size());
  for (const Active& active : scorers_) {
    for (size_t i = 0; i < feasible_.size(); ++i)
      scores_[i] = active.plugin->score(cycle, active.state, *feasible_[i]);
    normalize(active.plugin->normalize, scores_);
    for (size_t i = 0; i < feasible_.size(); ++i) totals_[i] += active.plugin->weight * scores_[i];
  }
}

const NodeInfo* Placer::pick(Random& random) const {
  const int64_t best = *std::max_element(totals_.begin(), totals_.end());
  const auto ties = static_cast<uint64_t>(std::count(totals_.begin(), totals_.end(), best));
  uint64_t skip = ties > 1 ? random.below(ties) : 0;
  for (size_t i = 0; i < totals_.size(); ++i)
    if (totals_[i] == best && skip-- == 0) return feasible_[i];
  return feasible_.front();
}

Decision Placer::place(const ClusterState& cluster, const PodInfo& pod, Random& random) {
  Search search;
  search.total = cluster.nodes().size();
  if (search.total == 0) return FitError{"no nodes available to schedule pods", 0};
  const Cycle cycle{cluster, pod};
  prepare(cycle);
  find_feasible(cycle, search);
  if (feasible_.empty()) {
    std::string message = available(search.total) + search.reasons.format() + ". preemption: ";
    if (pod.never_preempts) {
      message += "not eligible due to preemptionPolicy=Never.";
    } else {
      Reasons preemption;
      if (search.in_the_way > 0) preemption.add("No preemption victims found for incoming pod", search.in_the_way);
      if (search.in_the_way < search.total)
        preemption.add("Preemption is not helpful for scheduling", search.total - search.in_the_way);
      message += available(search.total) + preemption.format() + ".";
    }
    return FitError{std::move(message), search.plugins};
  }
  if (feasible_.size() == 1) return Placement{feasible_.front(), 1};
  add_scores(cycle);
  return Placement{pick(random), feasible_.size()};
}

}  // namespace orch::plan::sched
