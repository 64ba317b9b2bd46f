#pragma once
// Which nodes a pod wants: nodeSelector and node affinity, compiled once for a pod.

#include <optional>
#include <string>
#include <vector>

#include "data/selector.h"
#include "data/value.h"

namespace orch::plan::sched {

// One NodeSelectorTerm: all of it must hold. An empty one, or one with an unknown operator, holds nowhere.
class NodeTerm {
 public:
  static NodeTerm parse(const Value& term);
  bool matches(std::string_view node_name, const Value& labels) const;
  bool matches_nothing() const { return nothing_; }
  // The names of nodes that matchFields leaves; nullopt: any.
  std::optional<std::vector<std::string>> names() const;

 private:
  struct NameRule {
    bool in;
    std::string name;
  };
  bool add_expression(const Value& expression);
  bool add_field(const Value& field);
  LabelSelector labels_;
  std::vector<NameRule> names_;
  bool nothing_ = false;
};

struct PreferredTerm {
  int64_t weight;
  NodeTerm term;
};

struct NodeWishes {
  LabelSelector selector;                        // nodeSelector; empty: any node
  std::optional<std::vector<NodeTerm>> required;  // one of them must hold
  std::vector<PreferredTerm> preferred;

  bool demands_nothing() const { return selector.empty() && !required; }
  bool matches(std::string_view node_name, const Value& labels) const;
  // Where every required term names its nodes: those names. So DaemonSets' pods look at one node only.
  std::optional<std::vector<std::string>> only_nodes() const;
};

NodeWishes parse_node_wishes(const Value& pod_spec);

}  // namespace orch::plan::sched
