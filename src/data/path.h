#pragma once
// Paths: field paths of causes ("spec.containers[0].name"), RFC 6901 JSON pointers, and
// Kubernetes' JSONPath templates (k8s.io/client-go/util/jsonpath).

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/value.h"

namespace orch {

// A field path under construction on the stack: field.Path of apimachinery. Holds no copies; a
// child must not outlive its parent.
class FieldPath {
 public:
  FieldPath() = default;  // the root
  FieldPath child(std::string_view name) const { return FieldPath(this, name, -1, false); }
  FieldPath index(size_t i) const { return FieldPath(this, {}, static_cast<int64_t>(i), false); }
  FieldPath key(std::string_view key) const { return FieldPath(this, key, -1, true); }
  std::string text() const;  // "spec.containers[0].env[name]", "" at the root

 private:
  FieldPath(const FieldPath* parent, std::string_view name, int64_t index, bool is_key)
      : parent_(parent), name_(name), index_(index), is_key_(is_key) {}
  const FieldPath* parent_ = nullptr;
  std::string_view name_;
  int64_t index_ = -1;
  bool is_key_ = false;
};

// "/a~1b/0" -> {"a/b", "0"}. Errors: Code::parse.
Result<std::vector<std::string>> parse_json_pointer(std::string_view text);

// kubectl -o jsonpath: "{.items[*].metadata.name}{'\n'}", range/end, filters [?(@.a=="b")], unions,
// slices, recursive descent, quoted keys.
//
// Messages are kubectl's, and so are the oddities: an index into an empty list ends the whole step,
// a wildcard on a string gives its bytes. Members are visited in the order of their keys (Go: random).
class JsonPath {
 public:
  static Result<JsonPath> parse(std::string_view text);  // errors: Code::parse
  // As kubectl prints: values separated by a space, objects as JSON. A missing key is an error
  // unless allow_missing (kubectl's default). Errors: Code::bad_request.
  Result<std::string> format(const Value& value, bool allow_missing) const;
  // The values that the expressions select, one after the other.
  Result<std::vector<Value>> select(const Value& value, bool allow_missing) const;
  struct Node;

 private:
  std::shared_ptr<const std::vector<Node>> nodes_;
};
// The relaxed forms of kubectl's --sort-by and custom-columns: "x.y", ".x.y", "{x.y}" -> "{.x.y}";
// "" stays "". Errors: Code::usage.
Result<std::string> relaxed_json_path(std::string_view text);

}  // namespace orch
