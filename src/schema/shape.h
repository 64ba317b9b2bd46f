#pragma once
// What Go makes of absent and zero values (docs/schema.md's table): shared by prune, default and
// validate.

#include "schema/graph.h"

namespace orch::schema {

// The zero value of a Go struct of this type as JSON: `{}` with what is written even when absent.
Value zero_object(const Type& type);
// What an item of a list, or a value of a map, reads as when it is null.
Value zero_item(const FieldType& type);
// What a field that is absent (or null) is written as; null where the member stays absent and
// `stays_absent` is set.
struct Absent {
  bool stays_absent;
  Value value;
};
Absent absent_field(const Field& field);

// 0, "", false, null, [] and {}: what omitempty leaves out. (A struct's {} is the caller's affair.)
bool is_empty(const Value& value);

// The word of a Go type in the decoder's errors: "int32", "[]string", "v1.PodSpec".
std::string go_type_name(const FieldType& type);
std::string go_type_name(const Type& type);

}  // namespace orch::schema
