#pragma once
// Cells of tables that take more than a path, as kubectl shows them. docs/schema-rules.md lists
// them.

#include "schema/hooks.h"

namespace orch::schema::rules {

Hooks::Table<ColumnHook> general_columns();  // columns.cpp: @count, @labels, @age ...
Hooks::Table<ColumnHook>
workload_columns();                          // columns_workloads.cpp: pods, jobs, nodes, events ...
Hooks::Table<ColumnHook> network_columns();  // columns_network.cpp: services, endpoints, ingresses
Hooks::Table<ColumnHook> other_columns();    // columns_other.cpp: storage, quota, certificates ...
Hooks::Table<RowHook> rows();                // columns_workloads.cpp

// Helpers of these files.

// The age of a time of an object, or `absent`.
std::string age_or(const Value& time, Instant now, std::string_view absent);
// "a,b,c + 2 more..." of `count` things, the first of which are `shown`; `empty` of none.
std::string with_more(std::span<const std::string> shown, size_t count, std::string_view separator,
                      std::string_view empty);
std::string text_or(const Value& text, std::string_view absent);
// The status ("True") of a condition in a list, "" without.
std::string_view condition_status(const Value& conditions, std::string_view type);
std::string joined(const std::vector<std::string>& parts, std::string_view separator,
                   std::string_view empty);

}  // namespace orch::schema::rules
