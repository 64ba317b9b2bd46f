#pragma once
// YAML text <-> Value, through yaml-cpp (contained in yaml.cpp, the one file that sees it throw).
// Scalars resolve as in kubectl (YAML 1.1: y, yes and on are booleans, 017 is 15), keys too, and then
// become strings again ("true", "15"); timestamps are strings; anchors and merge keys work within a
// bound on the expanded size (no billion laughs). At most 500 levels of nesting, JSON text excepted.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/json.h"
#include "data/value.h"

namespace orch {

struct YamlDocument {
  Value value;
  int line = 1;  // first line of the document in the text, from 1
};

// All documents of a stream, empty ones left out. Errors: Code::parse, "line 3: ...".
Result<std::vector<YamlDocument>> parse_yaml(std::string_view text, const JsonOptions& options = {});
// Exactly one document (an empty text gives null); JSON is YAML.
Result<Value> parse_yaml_document(std::string_view text, const JsonOptions& options = {});

// As sigs.k8s.io/yaml writes, byte for byte: block style, two spaces, lists not indented below their
// key, keys in its order (a2 before a10), strings quoted only where they would read back as something
// else, `|` for multi-line, long lines folded.
std::string format_yaml(const Value& value);

}  // namespace orch
