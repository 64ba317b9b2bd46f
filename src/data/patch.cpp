#include "data/patch.h"

#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "data/path.h"

namespace orch {

namespace {

constexpr size_t kMaxOperations = 10'000;      // apiserver's limit of a JSON patch
constexpr size_t kMaxCopiedBytes = 64u << 20;  // what all `copy` operations may add together

using Steps = std::vector<std::string>;

Error malformed(std::string message) { return Error::make(Code::bad_request, std::move(message)); }
Error refused(std::string message) { return Error::make(Code::invalid, std::move(message)); }

// RFC 6901 section 4: "0", or digits without a leading zero.
std::optional<size_t> list_index(std::string_view step) {
  if (step.empty() || (step.size() > 1 && step[0] == '0')) return std::nullopt;
  auto number = parse_uint(step);
  if (!number) return std::nullopt;
  return static_cast<size_t>(*number);
}

const Value* child(const Value& parent, std::string_view step) {
  if (parent.is_object()) return parent.find(step);
  auto index = parent.is_list() ? list_index(step) : std::nullopt;
  return index && *index < parent.size() ? &parent.at(*index) : nullptr;
}

const Value* find(const Value& root, const Steps& steps) {
  const Value* current = &root;
  for (const std::string& step : steps) {
    current = child(*current, step);
    if (!current) return nullptr;
  }
  return current;
}

enum class Edit : uint8_t { add, remove, replace };

Result<Value> edit_list(const Value& list, std::string_view step, Edit how, const Value& value) {
  std::vector<Value> items(list.items().begin(), list.items().end());
  bool at_end = step == "-" && how == Edit::add;
  auto index = at_end ? std::optional(items.size()) : list_index(step);
  if (!index || *index > items.size() || (*index == items.size() && how != Edit::add)) {
    return refused("index " + quote(step) + " is out of bounds of a list of " + std::to_string(items.size()));
  }
  auto place = items.begin() + static_cast<std::ptrdiff_t>(*index);
  if (how == Edit::add) items.insert(place, value);
  if (how == Edit::remove) items.erase(place);
  if (how == Edit::replace) *place = value;
  return Value::list(std::move(items));
}

Result<Value> edit_member(const Value& parent, std::string_view step, Edit how, const Value& value) {
  if (parent.is_list()) return edit_list(parent, step, how, value);
  if (!parent.is_object()) return refused("a scalar has no member " + quote(step));
  if (how != Edit::add && !parent.has(step)) return refused("there is no member " + quote(step));
  return how == Edit::remove ? parent.without(step) : parent.with(step, value);
}

Result<Value> edit(const Value& root, const Steps& steps, size_t at, Edit how, const Value& value) {
  if (steps.empty()) {
    if (how == Edit::remove) return refused("the whole document cannot be removed");
    return value;
  }
  if (at + 1 == steps.size()) return edit_member(root, steps[at], how, value);
  const Value* inner = child(root, steps[at]);
  if (!inner) return refused("there is nothing at " + quote(steps[at]));
  TRY(Value changed, edit(*inner, steps, at + 1, how, value));
  return edit_member(root, steps[at], Edit::replace, changed);
}

struct Operation {
  std::string name, path_text;
  Steps path, from;
  const Value* value = nullptr;
};

Result<Operation> read_operation(const Value& object) {
  if (!object.is_object()) return malformed("an operation of a JSON patch must be an object");
  Operation operation;
  operation.name = object["op"].as_string();
  if (!object["path"].is_string()) return malformed("a JSON patch operation needs a \"path\"");
  operation.path_text = object["path"].as_string();
  TRY(operation.path, parse_json_pointer(operation.path_text));
  if (operation.name == "move" || operation.name == "copy") {
    if (!object["from"].is_string()) return malformed("the operation " + quote(operation.name) + " needs \"from\"");
    TRY(operation.from, parse_json_pointer(object["from"].as_string()));
  }
  operation.value = object.find("value");
  bool needs_value = operation.name == "add" || operation.name == "replace" || operation.name == "test";
  if (needs_value && !operation.value) return malformed("the operation " + quote(operation.name) + " needs \"value\"");
  return operation;
}

// 1 and 1.0 are the same number to a `test` (RFC 6902 section 4.6).
bool equal_json(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return a.as_double() == b.as_double();
  if (a.kind() != b.kind() || a.size() != b.size()) return false;
  for (size_t i = 0; i < a.items().size(); ++i) {
    if (!equal_json(a.at(i), b.at(i))) return false;
  }
  for (size_t i = 0; i < a.members().size(); ++i) {
    if (a.members()[i].name() != b.members()[i].name()) return false;
    if (!equal_json(a.members()[i].value, b.members()[i].value)) return false;
  }
  return a.is_list() || a.is_object() || a == b;
}

bool is_prefix(const Steps& prefix, const Steps& steps) {
  return prefix.size() < steps.size() && std::equal(prefix.begin(), prefix.end(), steps.begin());
}

Result<Value> apply_operation(const Value& root, const Operation& operation, size_t& copied) {
  const std::string& name = operation.name;
  if (name == "add") return edit(root, operation.path, 0, Edit::add, *operation.value);
  if (name == "remove") return edit(root, operation.path, 0, Edit::remove, Value());
  if (name == "replace") return edit(root, operation.path, 0, Edit::replace, *operation.value);
  if (name == "test") {
    const Value* found = find(root, operation.path);
    bool same = found ? equal_json(*found, *operation.value) : operation.value->is_null();
    if (!same) return refused("testing value " + operation.path_text + " failed");
    return root;
  }
  if (name != "move" && name != "copy") return malformed("unknown JSON patch operation " + quote(name));
  const Value* source = find(root, operation.from);
  if (!source) return refused("there is nothing to " + name + " at \"from\"");
  Value moved = *source;
  if (name == "copy") {
    copied += moved.heap_bytes();
    if (copied > kMaxCopiedBytes) return Error::make(Code::too_large, "the JSON patch copies too much");
    return edit(root, operation.path, 0, Edit::add, moved);
  }
  if (is_prefix(operation.from, operation.path)) return refused("a value cannot be moved into itself");
  TRY(Value without, edit(root, operation.from, 0, Edit::remove, Value()));
  return edit(without, operation.path, 0, Edit::add, moved);
}

}  // namespace

Result<Value> apply_json_patch(const Value& target, const Value& patch) {
  if (!patch.is_list()) return malformed("a JSON patch must be a list of operations");
  if (patch.size() > kMaxOperations) {
    return Error::make(Code::too_large, "The allowed maximum operations in a JSON patch is 10000, got " +
                                            std::to_string(patch.size()));
  }
  Value result = target;
  size_t copied = 0;
  size_t index = 0;
  for (const Value& object : patch.items()) {
    std::string place = "operation " + std::to_string(index++);
    auto operation = read_operation(object);
    if (!operation.ok()) return std::move(operation).error().with_context(place);
    auto changed = apply_operation(result, *operation, copied);
    if (!changed.ok()) {
      return std::move(changed).error().with_context(place + " (" + operation->name + " " + operation->path_text + ")");
    }
    result = std::move(changed).value();
  }
  return result;
}

Value apply_merge_patch(const Value& target, const Value& patch) {
  if (!patch.is_object()) return patch;
  ObjectBuilder result(target.is_object() ? target : Value::empty_object());
  for (const Member& member : patch.members()) {
    if (member.value.is_null()) {
      result.remove(member.name());
    } else {
      result.set(member.key, apply_merge_patch(target[member.name()], member.value));
    }
  }
  return std::move(result).build();
}

Value make_merge_patch(const Value& from, const Value& to) {
  if (!from.is_object() || !to.is_object()) return to;
  ObjectBuilder patch;
  for (const Member& member : to.members()) {
    const Value* before = from.find(member.name());
    if (before && *before == member.value) continue;
    bool both = before && before->is_object() && member.value.is_object();
    patch.set(member.key, both ? make_merge_patch(*before, member.value) : member.value);
  }
  for (const Member& member : from.members()) {
    if (!to.has(member.name())) patch.set(member.key, Value());
  }
  return std::move(patch).build();
}

}  // namespace orch
