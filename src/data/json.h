#pragma once
// JSON text <-> Value, through RapidJSON's SAX reader and writer.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/value.h"

namespace orch {

struct JsonOptions {
  size_t max_depth = 10000 / 2;   // nesting beyond it is an error, never a stack overflow
  // Where not null, receives one entry for each duplicate key, as kubectl shows it:
  // `duplicate field "spec.replicas"`; the last value wins (Go's encoding/json).
  std::vector<std::string>* duplicates = nullptr;
  KeyCache* keys = nullptr;       // shares key storage between objects
};

// Errors: Code::parse with the byte offset and what was expected. Invalid UTF-8 becomes U+FFFD, as
// Go's decoder does. Integers beyond int64 become doubles.
Result<Value> parse_json(std::string_view text, const JsonOptions& options = {});

// Compact and canonical (sorted keys). `<`, `>` and `&` are not escaped.
std::string format_json(const Value& value);
void append_json(std::string& out, const Value& value);
std::string format_json_pretty(const Value& value, int indent);  // as kubectl's -o json (indent 4)

}  // namespace orch
