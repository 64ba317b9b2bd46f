#pragma once
// Pieces of `describe` texts: lines whose cells end in tabs, laid out at the end. Room-private.

#include <string>
#include <string_view>
#include <vector>

#include "cli/describe.h"
#include "data/value.h"

namespace orch::cli {

std::string lay_out(const std::string& text);  // kubectl's columns
std::string shown_scalar(const Value& value);  // as text, "" for null
std::string shown_list(const Value& list);     // "a,b" or "<none>"
std::string shown_time(const Value& time);     // "Sat, 21 Nov 2026 08:15:07 +0000"
std::string smart_label(std::string_view name);  // creationTimestamp -> Creation Timestamp
std::string describe_head(const Value& object);  // Name, and Namespace where there is one
std::string describe_labels(std::string_view title, const Value& labels);
std::string describe_conditions(const Value& conditions, const std::vector<std::string>& columns);
std::string describe_tree(const Value& object, size_t indent);
std::string describe_pod_template(const Value& pod_template);
std::string describe_pod(const Value& object, const Surroundings& around);
std::string describe_node(const Value& object, const Surroundings& around);

}  // namespace orch::cli
