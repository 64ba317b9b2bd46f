#pragma once
// JSON text <-> Value, through RapidJSON's SAX reader. The writer is our own: it
// is on the path of every write and appends straight to the string.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/value.h"

namespace orch {

struct JsonOptions {
  // Nesting beyond it is an error. What walks a Value recurses, its destructor too: the limit
  // keeps that far from the end of a thread's stack.
  size_t max_depth = 1000;
  // Where not null, receives one entry for each duplicate key, as kubectl shows it:
  // `duplicate field "spec.replicas"`; the last value wins (Go's encoding/json). At most 100.
  std::vector<std::string>* duplicates = nullptr;
  KeyCache* keys = nullptr;       // shares key storage between objects
};

// Errors: Code::parse with the byte offset and what was expected. Invalid UTF-8 becomes U+FFFD, as
// Go's decoder does. Integers beyond int64 become doubles.
Result<Value> parse_json(std::string_view text, const JsonOptions& options = {});

// Compact and canonical (sorted keys). `<`, `>` and `&` are not escaped.
std::string format_json(const Value& value);
void append_json(std::string& out, const Value& value);
// As kubectl's -o json (indent 4): `<`, `>` and `&` are escaped; no newline at the end.
std::string format_json_pretty(const Value& value, int indent);

}  // namespace orch
