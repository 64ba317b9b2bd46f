#include "data/patch.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <span>

#include "base/text.h"
#include "data/path.h"

namespace orch {

namespace {

constexpr size_t kMaxOperations = 10'000;
constexpr size_t kMaxCopied = size_t{3} << 20;  // bytes, all `copy` operations of a patch together
constexpr size_t kMaxDepth = 1000;              // what parse_json takes

using Tokens = std::span<const std::string>;

struct Operation {
  std::string_view op;
  std::string_view path, from;
  std::vector<std::string> path_tokens, from_tokens;
  const Value* value = nullptr;
};

Error malformed(size_t index, const std::string& what) {
  return Error::make(Code::bad_request,
                     "invalid JSON patch: operation " + std::to_string(index) + ": " + what);
}

Error does_not_apply(const Operation& operation, const std::string& why) {
  return Error::make(Code::invalid, std::string(operation.op) + " operation does not apply: " + why);
}

std::string missing(std::string_view pointer) {
  return "doc is missing path: " + quote(pointer) + ": missing value";
}

// RFC 6901: digits without a leading zero.
std::optional<size_t> list_index(std::string_view token) {
  if (token.empty() || token.size() > 9 || (token[0] == '0' && token.size() > 1)) return {};
  if (token.find_first_not_of("0123456789") != token.npos) return {};
  return parse_uint(token);
}

const Value* child(const Value& parent, const std::string& token) {
  if (parent.is_object()) return parent.find(token);
  auto index = parent.is_list() ? list_index(token) : std::nullopt;
  return index && *index < parent.size() ? &parent.items()[*index] : nullptr;
}

const Value* find(const Value& root, Tokens tokens) {
  const Value* at = &root;
  for (const std::string& token : tokens) {
    at = child(*at, token);
    if (!at) return nullptr;
  }
  return at;
}

// What to make of the container of the last token; nullopt where it has no such place.
using Change = std::function<std::optional<Value>(const Value& container, const std::string& token)>;

std::optional<Value> change_at(const Value& root, Tokens tokens, const Change& change) {
  if (tokens.size() == 1) return change(root, tokens[0]);
  const Value* inner = child(root, tokens[0]);
  if (!inner) return std::nullopt;
  std::optional<Value> changed = change_at(*inner, tokens.subspan(1), change);
  if (!changed) return std::nullopt;
  if (root.is_object()) return root.with(tokens[0], std::move(*changed));
  return root.with_item(*list_index(tokens[0]), std::move(*changed));
}

std::optional<Value> with_added(const Value& root, Tokens tokens, const Value& value) {
  if (tokens.empty()) return value;
  return change_at(root, tokens, [&](const Value& container, const std::string& token) {
    if (container.is_object()) return std::optional(container.with(token, value));
    if (!container.is_list()) return std::optional<Value>();
    auto index = token == "-" ? container.size() : list_index(token);
    if (!index || *index > container.size()) return std::optional<Value>();
    auto all = container.items();
    std::vector<Value> items(all.begin(), all.end());
    items.insert(items.begin() + static_cast<std::ptrdiff_t>(*index), value);
    return std::optional(Value::list(std::move(items)));
  });
}

std::optional<Value> with_removed(const Value& root, Tokens tokens) {
  if (tokens.empty()) return Value();
  return change_at(root, tokens, [](const Value& container, const std::string& token) {
    if (!child(container, token)) return std::optional<Value>();
    if (container.is_object()) return std::optional(container.without(token));
    auto all = container.items();
    std::vector<Value> items(all.begin(), all.end());
    items.erase(items.begin() + static_cast<std::ptrdiff_t>(*list_index(token)));
    return std::optional(Value::list(std::move(items)));
  });
}

// RFC 6902, 4.6: numbers are equal by value, whatever their notation.
bool equal(const Value& a, const Value& b) {
  if (a.same(b)) return true;
  if (a.is_number() && b.is_number()) {
    return a.kind() == b.kind() ? a == b : a.as_double() == b.as_double();
  }
  if (a.kind() != b.kind() || a.size() != b.size()) return false;
  for (size_t i = 0; i < a.items().size(); ++i) {
    if (!equal(a.at(i), b.at(i))) return false;
  }
  for (size_t i = 0; i < a.members().size(); ++i) {
    const Member &x = a.members()[i], &y = b.members()[i];
    if (x.name() != y.name() || !equal(x.value, y.value)) return false;
  }
  return a.is_list() || a.is_object() || a == b;
}

bool is_prefix(Tokens prefix, Tokens tokens) {
  return prefix.size() < tokens.size() &&
         std::equal(prefix.begin(), prefix.end(), tokens.begin());
}

class Patcher {
 public:
  explicit Patcher(Value target) : doc_(std::move(target)) {}

  Result<void> apply(const Operation& operation) {
    struct Verb {
      std::string_view name;
      Result<void> (Patcher::*run)(const Operation&);
    };
    static constexpr Verb kVerbs[] = {{"add", &Patcher::add},         {"remove", &Patcher::remove},
                                      {"replace", &Patcher::replace}, {"move", &Patcher::move},
                                      {"copy", &Patcher::copy},       {"test", &Patcher::test}};
    for (const Verb& verb : kVerbs) {
      if (verb.name == operation.op) return (this->*verb.run)(operation);
    }
    return {};  // read_operation() let nothing else through
  }

  Value take() { return std::move(doc_); }

 private:
  Result<void> put(const Operation& operation, const Value& value) {
    if (operation.path_tokens.size() + value.depth() > kMaxDepth) {
      return does_not_apply(operation, "nested too deep");
    }
    auto changed = with_added(doc_, operation.path_tokens, value);
    if (!changed) return does_not_apply(operation, missing(operation.path));
    doc_ = std::move(*changed);
    return {};
  }

  Result<void> take_out(const Operation& operation, std::string_view pointer, Tokens tokens) {
    auto changed = with_removed(doc_, tokens);
    if (!changed) return does_not_apply(operation, missing(pointer));
    doc_ = std::move(*changed);
    return {};
  }

  Result<void> add(const Operation& operation) { return put(operation, *operation.value); }

  Result<void> remove(const Operation& operation) {
    return take_out(operation, operation.path, operation.path_tokens);
  }

  Result<void> replace(const Operation& operation) {
    if (!find(doc_, operation.path_tokens)) {
      return does_not_apply(operation, missing(operation.path));
    }
    if (!operation.path_tokens.empty()) {
      // A list grows at an index; only after its old item has gone is that a replacement.
      TRY_VOID(remove(operation));
    }
    return put(operation, *operation.value);
  }

  Result<void> move(const Operation& operation) {
    const Value* found = find(doc_, operation.from_tokens);
    if (!found) return does_not_apply(operation, missing(operation.from));
    if (is_prefix(operation.from_tokens, operation.path_tokens)) {
      return does_not_apply(operation, "cannot move a value into itself");
    }
    Value moved = *found;
    TRY_VOID(take_out(operation, operation.from, operation.from_tokens));
    return put(operation, moved);
  }

  Result<void> copy(const Operation& operation) {
    const Value* found = find(doc_, operation.from_tokens);
    if (!found) return does_not_apply(operation, missing(operation.from));
    Value copied = *found;
    copied_ += sizeof(Value) + copied.heap_bytes();
    if (copied_ > kMaxCopied) {
      return does_not_apply(operation, "the accumulated size of copies exceeds the limit of " +
                                           std::to_string(kMaxCopied) + " bytes");
    }
    return put(operation, copied);
  }

  Result<void> test(const Operation& operation) {
    const Value* found = find(doc_, operation.path_tokens);
    // A missing member passes for null, as with the library that the API server uses.
    if (equal(found ? *found : Value::null(), *operation.value)) return {};
    return Error::make(Code::invalid,
                       "testing value " + std::string(operation.path) + " failed: test failed");
  }

  Value doc_;
  size_t copied_ = 0;
};

Result<Operation> read_operation(const Value& item, size_t index) {
  if (!item.is_object()) return malformed(index, "not an object");
  Operation operation;
  operation.op = item["op"].as_string();
  struct Needs {
    std::string_view op;
    bool from, value;
  };
  static constexpr Needs kNeeds[] = {{"add", false, true},     {"remove", false, false},
                                     {"replace", false, true}, {"move", true, false},
                                     {"copy", true, false},    {"test", false, true}};
  const Needs* needs = std::ranges::find(kNeeds, operation.op, &Needs::op);
  if (needs == std::end(kNeeds)) {
    return malformed(index, "unexpected kind: " + quote(operation.op));
  }
  if (!item["path"].is_string()) return malformed(index, "no path");
  operation.path = item["path"].as_string();
  if (needs->from && !item["from"].is_string()) return malformed(index, "no from");
  operation.from = item["from"].as_string();
  operation.value = item.find("value");
  if (needs->value && !operation.value) return malformed(index, "no value");
  auto path = parse_json_pointer(operation.path);
  if (!path.ok()) return malformed(index, path.error().message());
  operation.path_tokens = std::move(path).value();
  if (needs->from) {
    auto from = parse_json_pointer(operation.from);
    if (!from.ok()) return malformed(index, from.error().message());
    operation.from_tokens = std::move(from).value();
  }
  if (operation.path_tokens.size() > kMaxDepth || operation.from_tokens.size() > kMaxDepth) {
    return malformed(index, "path too long");
  }
  return operation;
}

}  // namespace

Result<Value> apply_json_patch(const Value& target, const Value& patch) {
  if (!patch.is_list()) {
    return Error::make(Code::bad_request, "invalid JSON patch: not a list of operations");
  }
  if (patch.size() > kMaxOperations) {
    return Error::make(Code::too_large, "The allowed maximum operations in a JSON patch is " +
                                            std::to_string(kMaxOperations) + ", got " +
                                            std::to_string(patch.size()));
  }
  // All of it is read before any of it is applied: a malformed patch is a bad request whatever
  // its first operations would do.
  std::vector<Operation> operations;
  for (size_t i = 0; i < patch.size(); ++i) {
    TRY(Operation operation, read_operation(patch.at(i), i));
    operations.push_back(std::move(operation));
  }
  Patcher patcher(target);
  for (const Operation& operation : operations) TRY_VOID(patcher.apply(operation));
  return patcher.take();
}

Value apply_merge_patch(const Value& target, const Value& patch) {
  if (!patch.is_object()) return patch;
  ObjectBuilder result;
  auto old = target.members();
  size_t i = 0;
  // Both are sorted by key: one pass.
  for (const Member& change : patch.members()) {
    while (i < old.size() && old[i].name() < change.name()) {
      result.set(old[i].key, old[i].value);
      ++i;
    }
    bool present = i < old.size() && old[i].name() == change.name();
    if (!change.value.is_null()) {
      result.set(change.key, apply_merge_patch(present ? old[i].value : Value(), change.value));
    }
    if (present) ++i;
  }
  for (; i < old.size(); ++i) result.set(old[i].key, old[i].value);
  return std::move(result).build();
}

Value make_merge_patch(const Value& from, const Value& to) {
  if (!from.is_object() || !to.is_object()) return to;
  ObjectBuilder patch;
  for (const Member& member : from.members()) {
    if (!to.has(member.name())) patch.set(member.key, Value());
  }
  for (const Member& member : to.members()) {
    const Value* old = from.find(member.name());
    if (!old) {
      patch.set(member.key, member.value);
    } else if (!(*old == member.value)) {
      patch.set(member.key, make_merge_patch(*old, member.value));
    }
  }
  return std::move(patch).build();
}

}  // namespace orch
