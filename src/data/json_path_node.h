#pragma once
// The parsed form of a JSONPath template; made by json_path_parse.cpp, run by json_path.cpp.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/path.h"

namespace orch {

struct JsonPath::Node {
  enum class Type : uint8_t {
    list,        // an action: children are walked one after the other
    text,        // plain or quoted text
    field,       // the member `text`
    array,       // the slice `bounds`
    filter,      // children: left side, right side; `text` is the operator or "exists"
    literal,     // a number or true/false
    wildcard,
    recursive,   // ..
    set,         // [a,b]: children are lists
    identifier,  // range, end
  };
  struct Bound {
    int64_t value = 0;
    bool known = false;
    bool derived = false;  // the end that "[i]" implies
  };
  Type type = Type::list;
  std::string text;
  std::array<Bound, 3> bounds;  // start, end, step
  Value value;
  std::vector<Node> children;
};

Result<std::vector<JsonPath::Node>> parse_json_path(std::string_view text);

}  // namespace orch
