#include "plan/sched/node_terms.h"

#include <algorithm>
#include <array>

namespace orch::plan::sched {

namespace {

struct Operator {
  std::string_view name;
  LabelSelector::Op op;
};
constexpr std::array operators = {
    Operator{"In", LabelSelector::Op::in},         Operator{"NotIn", LabelSelector::Op::not_in},
    Operator{"Exists", LabelSelector::Op::exists}, Operator{"DoesNotExist", LabelSelector::Op::does_not_exist},
    Operator{"Gt", LabelSelector::Op::gt},         Operator{"Lt", LabelSelector::Op::lt},
};

}  // namespace

NodeTerm NodeTerm::parse(const Value& term) {
  NodeTerm parsed;
  parsed.nothing_ = term["matchExpressions"].empty() && term["matchFields"].empty();
  for (const Value& expression : term["matchExpressions"].items())
    if (!parsed.add_expression(expression)) parsed.nothing_ = true;
  for (const Value& field : term["matchFields"].items())
    if (!parsed.add_field(field)) parsed.nothing_ = true;
  return parsed;
}

bool NodeTerm::add_expression(const Value& expression) {
  const std::string_view name = expression["operator"].as_string();
  auto known = std::find_if(operators.begin(), operators.end(), [&](const Operator& o) { return o.name == name; });
  if (known == operators.end()) return false;
  LabelSelector::Requirement requirement;
  requirement.key = std::string(expression["key"].as_string());
  requirement.op = known->op;
  for (const Value& value : expression["values"].items()) requirement.values.emplace_back(value.as_string());
  std::sort(requirement.values.begin(), requirement.values.end());
  const bool is_order = known->op == LabelSelector::Op::gt || known->op == LabelSelector::Op::lt;
  if (is_order && requirement.values.size() != 1) return false;
  labels_.add(std::move(requirement));
  return true;
}

bool NodeTerm::add_field(const Value& field) {
  const std::string_view name = field["operator"].as_string();
  if (field["key"].as_string() != "metadata.name" || field["values"].size() != 1) return false;
  if (name != "In" && name != "NotIn") return false;
  names_.push_back(NameRule{name == "In", std::string(field["values"].at(0).as_string())});
  return true;
}

bool NodeTerm::matches(std::string_view node_name, const Value& labels) const {
  if (nothing_) return false;
  for (const NameRule& rule : names_)
    if ((rule.name == node_name) != rule.in) return false;
  return labels_.matches(labels);
}

std::optional<std::vector<std::string>> NodeTerm::names() const {
  std::optional<std::vector<std::string>> left;
  for (const NameRule& rule : names_) {
    if (!rule.in) continue;
    if (!left) {
      left = std::vector<std::string>{rule.name};
    } else if (left->empty() || left->front() != rule.name) {
      left->clear();
    }
  }
  return left;
}

bool NodeWishes::matches(std::string_view node_name, const Value& labels) const {
  if (!selector.matches(labels)) return false;
  if (!required) return true;
  return std::any_of(required->begin(), required->end(),
                     [&](const NodeTerm& term) { return term.matches(node_name, labels); });
}

std::optional<std::vector<std::string>> NodeWishes::only_nodes() const {
  if (!required || required->empty()) return std::nullopt;
  std::vector<std::string> all;
  for (const NodeTerm& term : *required) {
    auto names = term.names();
    if (!names) return std::nullopt;
    all.insert(all.end(), names->begin(), names->end());
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

NodeWishes parse_node_wishes(const Value& pod_spec) {
  NodeWishes wishes;
  if (!pod_spec["nodeSelector"].empty()) wishes.selector = LabelSelector::from_map(pod_spec["nodeSelector"]);
  const Value& affinity = pod_spec["affinity"]["nodeAffinity"];
  const Value& required = affinity["requiredDuringSchedulingIgnoredDuringExecution"];
  if (required.is_object()) {
    wishes.required.emplace();
    for (const Value& term : required["nodeSelectorTerms"].items()) wishes.required->push_back(NodeTerm::parse(term));
  }
  for (const Value& preferred : affinity["preferredDuringSchedulingIgnoredDuringExecution"].items()) {
    PreferredTerm term{preferred["weight"].as_int(), NodeTerm::parse(preferred["preference"])};
    if (term.weight != 0 && !term.term.matches_nothing()) wishes.preferred.push_back(std::move(term));
  }
  return wishes;
}

}  // namespace orch::plan::sched
