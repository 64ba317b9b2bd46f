// Runs a JSONPath template. A step turns the selected values into the next ones; like the original
// it may fail and still leave values behind, which is what an existence filter looks at.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/text.h"
#include "data/json.h"
#include "data/json_path_node.h"

namespace orch {

namespace {

using Node = JsonPath::Node;
using Type = Node::Type;
using Items = std::vector<Value>;

// Values that one run may visit and one step may select: nested ranges and descents multiply.
constexpr size_t kMaxVisited = size_t{1} << 24;
constexpr size_t kMaxSelected = size_t{1} << 20;
constexpr int kMaxRanges = 32;

Error wrong(std::string message) { return Error::make(Code::bad_request, std::move(message)); }

// fmt's %v of a float64: the shortest digits, with an exponent below 1e-4 and from 1e6 on.
std::string format_double(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number < 0 ? "-Inf" : "+Inf";
  double magnitude = std::abs(number);
  bool scientific = number != 0 && (magnitude < 1e-4 || magnitude >= 1e6);
  char buffer[64];
  auto form = scientific ? std::chars_format::scientific : std::chars_format::fixed;
  return std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, number, form).ptr);
}

// fmt's %v, for messages.
std::string go_text(const Value& value) {
  std::string text;
  switch (value.kind()) {
    case Value::Kind::null: return "<nil>";
    case Value::Kind::boolean: return value.as_bool() ? "true" : "false";
    case Value::Kind::integer: return std::to_string(value.as_int());
    case Value::Kind::number: return format_double(value.as_double());
    case Value::Kind::string: return std::string(value.as_string());
    case Value::Kind::list:
      for (const Value& item : value.items()) text += (text.empty() ? "" : " ") + go_text(item);
      return "[" + text + "]";
    case Value::Kind::object: break;
  }
  for (const Member& member : value.members()) {
    if (!text.empty()) text += ' ';
    text.append(member.name()).append(":").append(go_text(member.value));
  }
  return "map[" + text + "]";
}

std::string_view go_type(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::boolean: return "bool";
    case Value::Kind::integer: return "int64";
    case Value::Kind::number: return "float64";
    case Value::Kind::string: return "string";
    case Value::Kind::list: return "[]interface {}";
    default: return "map[string]interface {}";
  }
}

// A string counts as the list of its bytes.
Items contents(const Value& value) {
  Items items(value.items().begin(), value.items().end());
  for (const Member& member : value.members()) items.push_back(member.value);
  for (char c : value.as_string()) items.emplace_back(static_cast<int>(static_cast<unsigned char>(c)));
  return items;
}

// ---- Comparisons of Go's templates: only scalars, only of one kind.

Result<void> check_comparable(const Value& a, const Value& b) {
  for (const Value* side : {&a, &b}) {
    if (side->is_null() || side->is_list() || side->is_object()) {
      return wrong("invalid type for comparison");
    }
  }
  if (a.kind() != b.kind()) return wrong("incompatible types for comparison");
  return {};
}

Result<bool> less(const Value& a, const Value& b) {
  TRY_VOID(check_comparable(a, b));
  if (a.is_bool()) return wrong("invalid type for comparison");
  if (a.is_double()) return a.as_double() < b.as_double();
  return Value::compare(a, b) < 0;
}

Result<bool> equal(const Value& a, const Value& b) {
  TRY_VOID(check_comparable(a, b));
  return a == b;
}

Result<bool> compare(std::string_view op, const Value& a, const Value& b) {
  if (op == "<") return less(a, b);
  if (op == "==") return equal(a, b);
  if (op == "!=") {
    TRY(bool same, equal(a, b));
    return !same;
  }
  if (op == ">=") {
    TRY(bool below, less(a, b));
    return !below;
  }
  if (op != "<=" && op != ">") return wrong("unrecognized filter operator " + std::string(op));
  TRY(bool below, less(a, b));
  TRY(bool same, equal(a, b));
  return (below || same) == (op == "<=");
}

// The bounds of a slice for a list of that length; nullopt: nothing is asked for.
struct Slice {
  size_t start, end, step;
};
Result<std::optional<Slice>> resolve(const Node& node, size_t list_length) {
  auto length = static_cast<int64_t>(list_length);
  const auto& [from, to, by] = node.bounds;
  int64_t start = from.known ? from.value : 0;
  if (start < 0) start += length;
  int64_t end = to.known ? to.value : length;
  if (end < 0 || (end == 0 && to.derived)) end += length;
  if (start == end) return std::optional<Slice>();
  auto out_of_bounds = [&](int64_t index) {
    return wrong("array index out of bounds: index " + std::to_string(index) + ", length " +
                 std::to_string(length));
  };
  if (start >= length || start < 0) return out_of_bounds(start);
  if (end > length || end < 0) return out_of_bounds(end - 1);
  if (start > end) {
    return wrong("starting index " + std::to_string(start) + " is greater than ending index " +
                 std::to_string(end));
  }
  if (by.known && by.value <= 0) return wrong("step must be > 0");
  return std::optional(Slice{static_cast<size_t>(start), static_cast<size_t>(end),
                             by.known ? static_cast<size_t>(by.value) : 1});
}

class Run {
 public:
  Run(const std::vector<Node>& nodes, bool allow_missing)
      : nodes_(nodes), allow_missing_(allow_missing) {}

  // One list of values for each action and text, from `start` to the end of the range or template.
  Result<void> execute(const Value& data, size_t start, std::vector<Items>& out) {
    for (size_t i = start; i < nodes_.size(); ++i) {
      Items results{data};
      TRY_VOID(walk(results, nodes_[i]));
      if (ends_seen_ > 0 && ends_seen_ <= depth_) {
        --ends_seen_;
        last_end_ = i;
        break;
      }
      if (ranges_seen_ == 0) {
        out.push_back(std::move(results));
        continue;
      }
      --ranges_seen_;
      if (++depth_ > kMaxRanges) return wrong("too many nested ranges");
      // Without values the inside is run for nothing, to find its end.
      std::vector<Items> ignored;
      if (results.empty()) TRY_VOID(execute(Value::null(), i + 1, ignored));
      for (const Value& value : results) TRY_VOID(execute(value, i + 1, out));
      --depth_;
      i = std::max(i, last_end_);
    }
    return {};
  }

 private:
  // Appends one selected value.
  Result<void> add(Items& items, const Value& value) {
    if (++visited_ > kMaxVisited || items.size() >= kMaxSelected) return too_many();
    items.push_back(value);
    return {};
  }
  static Error too_many() { return wrong("the template selects too many values"); }

  Result<void> walk(Items& items, const Node& node) {
    if (++visited_ > kMaxVisited) return too_many();
    switch (node.type) {
      case Type::list:
        for (const Node& child : node.children) TRY_VOID(walk(items, child));
        return {};
      case Type::text: items = {Value(node.text)}; return {};
      case Type::literal: std::ranges::fill(items, node.value); return {};
      case Type::field: return walk_field(items, node);
      case Type::array: return walk_array(items, node);
      case Type::filter: return walk_filter(items, node);
      case Type::wildcard: return walk_wildcard(items);
      case Type::recursive: return walk_recursive(items);
      case Type::set: return walk_set(items, node);
      case Type::identifier: return walk_identifier(items, node);
    }
    ORCH_UNREACHABLE();
  }

  Result<void> walk_identifier(Items& items, const Node& node) {
    if (node.text == "range") {
      ++ranges_seen_;
      return {};
    }
    if (node.text != "end") return wrong("unrecognized identifier " + node.text);
    items.clear();
    if (depth_ == 0) return wrong("not in range, nothing to end");
    ++ends_seen_;
    return {};
  }

  Result<void> walk_field(Items& items, const Node& node) {
    bool asked = !items.empty();
    Items found;
    for (const Value& item : items) {
      if (const Value* value = item.find(node.text)) TRY_VOID(add(found, *value));
    }
    items = std::move(found);
    if (asked && items.empty() && !allow_missing_) return wrong(node.text + " is not found");
    return {};
  }

  Result<void> walk_array(Items& items, const Node& node) {
    Items found;
    for (const Value& item : items) {
      if (item.is_null()) continue;
      if (!item.is_list()) return wrong(std::string(go_type(item)) + " is not array or slice");
      TRY(auto slice, resolve(node, item.size()));
      if (!slice) break;  // as the original does, without a look at the other lists
      for (size_t i = slice->start; i < slice->end; i += std::min(slice->step, slice->end)) {
        TRY_VOID(add(found, item.at(i)));
      }
    }
    items = std::move(found);
    return {};
  }

  Result<void> walk_wildcard(Items& items) {
    Items found;
    for (const Value& item : items) {
      for (const Value& value : contents(item)) TRY_VOID(add(found, value));
    }
    items = std::move(found);
    return {};
  }

  Result<void> walk_recursive(Items& items) {
    Items found;
    for (const Value& item : items) TRY_VOID(descend(item, found));
    items = std::move(found);
    return {};
  }

  Result<void> descend(const Value& value, Items& found) {
    if (++visited_ > kMaxVisited) return too_many();
    if (value.empty() && value.as_string().empty()) return {};
    TRY_VOID(add(found, value));
    for (const Value& item : value.items()) TRY_VOID(descend(item, found));
    for (const Member& member : value.members()) TRY_VOID(descend(member.value, found));
    return {};
  }

  Result<void> walk_set(Items& items, const Node& node) {
    Items all;
    for (const Node& child : node.children) {
      Items found = items;
      TRY_VOID(walk(found, child));
      for (const Value& value : found) TRY_VOID(add(all, value));
    }
    items = std::move(all);
    return {};
  }

  Result<void> walk_filter(Items& items, const Node& node) {
    Items passed;
    for (const Value& item : items) {
      if (!item.is_list()) {
        return wrong(go_text(item) + " is not array or slice and cannot be filtered");
      }
      for (const Value& candidate : item.items()) {
        TRY(bool pass, passes(candidate, node));
        if (pass) TRY_VOID(add(passed, candidate));
      }
    }
    items = std::move(passed);
    return {};
  }

  Result<bool> passes(const Value& candidate, const Node& node) {
    Items left{candidate};
    Result<void> walked = walk(left, node.children[0]);
    // Existence looks at what is there, even after an error.
    if (node.text == "exists") return !left.empty();
    TRY_VOID(std::move(walked));
    if (left.empty()) return false;
    if (left.size() > 1) return wrong("can only compare one element at a time");
    Items right{candidate};
    TRY_VOID(walk(right, node.children[1]));
    if (right.empty()) return false;
    if (right.size() > 1) return wrong("can only compare one element at a time");
    return compare(node.text, left[0], right[0]);
  }

  const std::vector<Node>& nodes_;
  bool allow_missing_;
  size_t visited_ = 0;
  int ranges_seen_ = 0;  // "range" and "end" met by the step just made
  int ends_seen_ = 0;
  int depth_ = 0;        // ranges we are in
  size_t last_end_ = 0;
};

void append_text(std::string& out, const Value& value) {
  if (!value.is_list() && !value.is_object() && !value.is_null()) {
    out += go_text(value);
    return;
  }
  // Go's encoder escapes what HTML would see; these bytes occur only inside strings.
  for (char c : format_json(value)) {
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    c == '<' || c == '>' || c == '&' ? out += escaped : out += c;
  }
}

}  // namespace

Result<JsonPath> JsonPath::parse(std::string_view text) {
  TRY(std::vector<Node> nodes, parse_json_path(text));
  JsonPath path;
  path.nodes_ = std::make_shared<const std::vector<Node>>(std::move(nodes));
  return path;
}

Result<std::string> JsonPath::format(const Value& value, bool allow_missing) const {
  if (!nodes_) return std::string();
  std::vector<Items> results;
  TRY_VOID(Run(*nodes_, allow_missing).execute(value, 0, results));
  std::string text;
  for (const Items& items : results) {
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) text += ' ';
      append_text(text, items[i]);
    }
  }
  return text;
}

Result<std::vector<Value>> JsonPath::select(const Value& value, bool allow_missing) const {
  if (!nodes_) return Items();
  std::vector<Items> results;
  TRY_VOID(Run(*nodes_, allow_missing).execute(value, 0, results));
  Items all;
  for (Items& items : results) std::ranges::move(items, std::back_inserter(all));
  return all;
}

}  // namespace orch
