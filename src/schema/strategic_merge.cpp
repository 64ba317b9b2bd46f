// Strategic merge patch: the semantics of apimachinery's strategicpatch, which kubectl's
// client-side apply relies on down to the order of merged lists. Nothing is modified: every step
// returns new values that share what did not change.
//
// `type` is nullptr below free-form data (RawExtension): objects merge there, lists are replaced.

#include <algorithm>
#include <span>

#include "base/text.h"
#include "schema/engine.h"

namespace orch::schema {

namespace {

constexpr std::string_view kDirective = "$patch";
constexpr std::string_view kRetainKeys = "$retainKeys";
constexpr std::string_view kSetOrder = "$setElementOrder/";
constexpr std::string_view kSetOrderName = "$setElementOrder";
constexpr std::string_view kDeleteScalarsName = "$deleteFromPrimitiveList";
constexpr std::string_view kDeleteScalars = "$deleteFromPrimitiveList/";

using Items = std::vector<Value>;

Error bad(std::string message) { return Error::make(Code::bad_request, std::move(message)); }

// As Go's %v shows decoded JSON: map[a:1 b:[x y] c:<nil>].
void append_go_text(std::string& out, const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null:
      out += "<nil>";
      return;
    case Value::Kind::boolean:
      out += value.as_bool() ? "true" : "false";
      return;
    case Value::Kind::integer:
      out += std::to_string(value.as_int());
      return;
    case Value::Kind::number: {
      char text[40];
      std::snprintf(text, sizeof text, "%g", value.as_double());
      out += text;
      return;
    }
    case Value::Kind::string:
      out += value.as_string();
      return;
    case Value::Kind::list: {
      out += "[";
      for (size_t i = 0; i < value.size(); ++i) {
        if (i > 0) out += " ";
        append_go_text(out, value.at(i));
      }
      out += "]";
      return;
    }
    case Value::Kind::object: {
      out += "map[";
      bool first = true;
      for (const Member& member : value.members()) {
        if (!first) out += " ";
        first = false;
        out.append(member.name()).append(":");
        append_go_text(out, member.value);
      }
      out += "]";
      return;
    }
  }
}

std::string go_text(const Value& value) {
  std::string out;
  append_go_text(out, value);
  return out;
}

std::string_view go_type(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null:
      return "%!s(<nil>)";
    case Value::Kind::boolean:
      return "bool";
    case Value::Kind::integer:
      return "int64";
    case Value::Kind::number:
      return "float64";
    case Value::Kind::string:
      return "string";
    case Value::Kind::list:
      return "[]interface {}";
    case Value::Kind::object:
      return "map[string]interface {}";
  }
  return "";
}

Error wrong_type(std::string_view expected, const Value& actual) {
  return bad(std::string("expected a ")
                 .append(expected)
                 .append(", but received a ")
                 .append(go_type(actual)));
}
Error not_a_list(const Value& actual) { return wrong_type("[]interface {}", actual); }
Error not_an_object(const Value& actual) { return wrong_type("map[string]interface {}", actual); }

Error no_merge_key(const Value& object, std::string_view key) {
  return bad(go_text(object)
                 .insert(0, "map: ")
                 .append(" does not contain declared merge key: ")
                 .append(key));
}
Error bad_directive(const Value& directive, const Value& object) {
  return bad("unknown patch type: " + (directive.is_null() ? "%!s(<nil>)" : go_text(directive)) +
             " in map: " + go_text(object));
}

Items copy_items(const Value& list) { return {list.items().begin(), list.items().end()}; }

// What two items of a list are compared by: the merge key's value of objects, else the item.
const Value& identity(const Value& item, std::string_view key, Value::Kind kind) {
  return kind == Value::Kind::object ? item[key] : item;
}

int index_in(std::span<const Value> list, const Value& item, std::string_view key,
             Value::Kind kind) {
  const Value& wanted = identity(item, key, kind);
  for (size_t i = 0; i < list.size(); ++i) {
    if (identity(list[i], key, kind) == wanted) return static_cast<int>(i);
  }
  return -1;
}

Result<int> find_by_key(std::span<const Value> list, std::string_view key, const Value& wanted) {
  for (size_t i = 0; i < list.size(); ++i) {
    if (!list[i].is_object()) return bad("value for key " + std::to_string(i) + " is not a map");
    const Value* found = list[i].find(key);
    if (found && *found == wanted) return static_cast<int>(i);
  }
  return -1;
}

bool is_deletion(const Value& item) { return item[kDirective].as_string() == "delete"; }

// The one kind of all items of both lists.
Result<Value::Kind> element_kind(const Value& a, const Value& b) {
  std::optional<Value::Kind> kind;
  for (const Value* list : {&a, &b}) {
    for (const Value& item : list->items()) {
      if (!kind && item.is_list()) return bad("lists of lists are not supported");
      if (!kind) kind = item.kind();
      if (*kind != item.kind()) {
        return bad("list element types are not identical: [" + (a.is_list() ? go_text(a) : "[]") +
                   " " + (b.is_list() ? go_text(b) : "[]") + "]");
      }
    }
  }
  if (!kind) return bad("no elements in any of the given slices");
  return *kind;
}

// --- the order of a merged list

// Stable, by place in `order`; deletions go last. An item that `order` does not know counts as less
// than its neighbours: patches whose order list is empty come out reversed, as kubectl's server has
// it.
Result<Items> sort_by_order(Items items, std::span<const Value> order, std::string_view key,
                            Value::Kind kind) {
  Items deletions;
  if (kind == Value::Kind::object) {
    for (std::span<const Value> list : {std::span<const Value>(items), order}) {
      for (const Value& item : list) {
        if (!item.is_object()) return not_an_object(item);
        if (!item.has(key)) return no_merge_key(item, key);
      }
    }
    Items kept;
    for (Value& item : items) (is_deletion(item) ? deletions : kept).push_back(std::move(item));
    items = std::move(kept);
  }
  std::vector<int> place;
  for (const Value& item : items) place.push_back(index_in(order, item, key, kind));
  auto less = [&](size_t a, size_t b) {
    return place[a] < 0 || place[b] < 0 || place[a] < place[b];
  };
  for (size_t i = 1; i < items.size(); ++i) {
    for (size_t j = i; j > 0 && less(j, j - 1); --j) {
      std::swap(items[j], items[j - 1]);
      std::swap(place[j], place[j - 1]);
    }
  }
  for (Value& item : deletions) items.push_back(std::move(item));
  return items;
}

// Merges the items that the patch names (in `patch_order`) with those only the server has (in
// `server_order`); each side keeps its order, a server item goes before the first patch item that
// follows it on the server.
Result<Value> interleave(Items patch_items, Items server_items, std::span<const Value> patch_order,
                         std::span<const Value> server_order, std::string_view key,
                         Value::Kind kind) {
  TRY(Items right, sort_by_order(std::move(patch_items), patch_order, key, kind));
  TRY(Items left, sort_by_order(std::move(server_items), server_order, key, kind));
  Items all;
  size_t i = 0, j = 0;
  while (i < left.size() || j < right.size()) {
    bool take_left = j >= right.size();
    if (i < left.size() && j < right.size()) {
      int l = index_in(server_order, left[i], key, kind);
      int r = index_in(server_order, right[j], key, kind);
      take_left = l >= 0 && r >= 0 && l < r;
    }
    all.push_back(take_left ? std::move(left[i++]) : std::move(right[j++]));
  }
  return Value::list(std::move(all));
}

struct Parts {
  Items in_patch, server_only;
};

Result<Parts> split_items(const Items& merged, std::span<const Value> named, std::string_view key) {
  Parts parts;
  for (const Value& item : merged) {
    bool found = false;
    if (key.empty()) {
      found = std::ranges::find(named, item) != named.end();
    } else {
      if (!item.is_object()) return not_an_object(item);
      const Value* wanted = item.find(key);
      if (!wanted) return no_merge_key(item, key);
      TRY(int index, find_by_key(named, key, *wanted));
      found = index >= 0;
    }
    (found ? parts.in_patch : parts.server_only).push_back(item);
  }
  return parts;
}

// --- parts of a patch that become values

// nullopt where the value is an object with a directive: it is not taken over.
std::optional<Value> without_directives(const Value& value) {
  if (value.is_object()) {
    if (value.has(kDirective)) return std::nullopt;
    ObjectBuilder out;
    for (const Member& member : value.members()) {
      if (auto kept = without_directives(member.value)) out.set(member.key, std::move(*kept));
    }
    return std::move(out).build();
  }
  if (value.is_list()) {
    Items out;
    for (const Value& item : value.items()) {
      if (auto kept = without_directives(item)) out.push_back(std::move(*kept));
    }
    return Value::list(std::move(out));
  }
  return value;
}

Value without_nulls(const Value& value) {
  if (value.is_object()) {
    ObjectBuilder out;
    for (const Member& member : value.members()) {
      if (!member.value.is_null()) out.set(member.key, without_nulls(member.value));
    }
    return std::move(out).build();
  }
  if (value.is_list()) {
    Items out;
    for (const Value& item : value.items()) out.push_back(without_nulls(item));
    return Value::list(std::move(out));
  }
  return value;
}

// --- merging

// What a field's declaration says about merging it.
struct FieldMeta {
  const Type* type = nullptr;
  bool merge_list = false;
  bool replace_object = false;
  std::string_view key;
};

Result<FieldMeta> meta_of(const Type* type, std::string_view name) {
  if (!type) return FieldMeta{};
  const Field* field = type->find(name);
  if (!field) {
    return bad("unable to find api field in struct " + type->name + " for the json field " +
               quote(name));
  }
  const Type* inner = field->type.shape == Shape::map ? nullptr : field->type.object;
  return FieldMeta{inner, field->patch.merge, field->patch.replace, field->patch.key};
}

Result<Value> merge_object(const Type* type, const Value& original, const Value& patch);

struct Specials {
  Items original, patch;
};

// The order of a list on the server decides where items go that the patch does not name. The API
// server deletes and appends in place, and then looks into what is left in the list's old places:
// new items count as standing where deleted ones were. Clients see that order, so it is kept.
class Places {
 public:
  explicit Places(const Value& list) : items_(copy_items(list)), used_(items_.size()) {}
  void erase(size_t index) {
    for (size_t i = index; i + 1 < used_; ++i) items_[i] = items_[i + 1];
    --used_;
  }
  void append(const Value& item) {
    if (used_ < items_.size()) items_[used_++] = item;
  }
  std::span<const Value> items() const { return items_; }

 private:
  Items items_;
  size_t used_;
};

// Takes the items with a `$patch` directive out of the patch, and what they delete out of the
// original.
Result<Specials> apply_item_directives(const Value& original, const Value& patch,
                                       std::string_view key, Places& places) {
  Specials out{copy_items(original), {}};
  bool replace = false;
  for (const Value& item : patch.items()) {
    const Value* directive = item.find(kDirective);
    if (!directive) {
      out.patch.push_back(item);
    } else if (directive->as_string() == "delete") {
      const Value* wanted = item.find(key);
      if (!wanted) return no_merge_key(item, key);
      for (;;) {
        TRY(int index, find_by_key(out.original, key, *wanted));
        if (index < 0) break;
        out.original.erase(out.original.begin() + index);
        places.erase(static_cast<size_t>(index));
      }
    } else if (directive->as_string() == "replace") {
      replace = true;
    } else if (directive->as_string() == "merge") {
      return bad("merging lists cannot yet be specified in the patch");
    } else {
      return bad_directive(*directive, item);
    }
  }
  if (replace) return Specials{std::move(out.patch), {}};
  return out;
}

Result<Value> merge_object_list(const FieldMeta& meta, const Value& original, const Value& patch,
                                Places& places) {
  if (meta.key.empty()) return bad("cannot merge lists without merge key for struct");
  TRY(Specials lists, apply_item_directives(original, patch, meta.key, places));
  Items merged = lists.original;
  for (const Value& item : lists.patch) {
    const Value* wanted = item.find(meta.key);
    if (!wanted) return no_merge_key(item, meta.key);
    TRY(int index, find_by_key(merged, meta.key, *wanted));
    if (index < 0) {
      merged.push_back(item);
      places.append(item);
      continue;
    }
    TRY(merged[static_cast<size_t>(index)],
        merge_object(meta.type, merged[static_cast<size_t>(index)], item));
  }
  TRY(Parts parts, split_items(merged, lists.patch, meta.key));
  return interleave(std::move(parts.in_patch), std::move(parts.server_only), lists.patch,
                    lists.original, meta.key, Value::Kind::object);
}

Result<Value> merge_scalar_list(const Value& original, const Value& patch, Value::Kind kind) {
  Items merged;
  for (const Value* list : {&original, &patch}) {
    for (const Value& item : list->items()) {
      if (std::ranges::find(merged, item) == merged.end()) merged.push_back(item);
    }
  }
  TRY(Parts parts, split_items(merged, patch.items(), {}));
  return interleave(std::move(parts.in_patch), std::move(parts.server_only), patch.items(),
                    original.items(), {}, kind);
}

Result<Value> merge_list(const FieldMeta& meta, const Value& original, const Value& patch,
                         Places& places) {
  if (!meta.merge_list) return patch;
  if (original.empty() && patch.empty()) return original;
  TRY(Value::Kind kind, element_kind(original, patch));
  if (kind == Value::Kind::object) return merge_object_list(meta, original, patch, places);
  return merge_scalar_list(original, patch, kind);
}

Result<Value> delete_scalars(const Value& original, const Value& unwanted) {
  if (original.empty() && unwanted.empty()) return original;
  TRY_VOID(element_kind(original, unwanted));
  Items kept;
  for (const Value& item : original.items()) {
    if (std::ranges::find(unwanted.items(), item) == unwanted.items().end()) kept.push_back(item);
  }
  return Value::list(std::move(kept));
}

// The patch's items must come in the order that $setElementOrder gives.
Result<void> check_order(const Value& patch, const Value& order, std::string_view key) {
  if (order.empty() || patch.empty()) return {};
  Items items;
  for (const Value& item : patch.items()) {
    if (!key.empty() && !item.is_object()) return not_an_object(item);
    if (key.empty() || !is_deletion(item)) items.push_back(item);
  }
  size_t next = 0, place = 0;
  while (next < items.size() && place < order.size()) {
    if (items[next].has(kDirective)) {
      ++next;
      continue;
    }
    const Value& in_order = order.at(place);
    bool equal = false;
    if (key.empty()) {
      equal = items[next] == in_order;
    } else {
      if (!in_order.is_object()) return not_an_object(in_order);
      for (const Value* item : {&std::as_const(items[next]), &in_order}) {
        if (!item->has(key)) return no_merge_key(*item, key);
      }
      equal = items[next][key] == in_order[key];
    }
    if (equal) ++next;
    ++place;
  }
  if (next < items.size() && place >= order.size()) {
    return bad("The order in patch list:\n" + go_text(patch) + "\n doesn't match " +
               std::string(kSetOrderName) + " list:\n" + go_text(order) + "\n");
  }
  return {};
}

// One $setElementOrder/<field> of a patch: merges that field, in that order.
Result<std::optional<Value>> merge_ordered(const Type* type, const Value& original,
                                           const Value& patch, std::string_view field,
                                           const Value& order) {
  if (!order.is_list()) return not_a_list(order);
  const Value* mine = original.find(field);
  const Value* theirs = patch.find(field);
  if (mine && !mine->is_list()) return not_a_list(*mine);
  if (theirs && !theirs->is_list()) return not_a_list(*theirs);
  TRY(FieldMeta meta, meta_of(type, field));
  if (theirs) TRY_VOID(check_order(*theirs, order, meta.key));
  if (!mine && !theirs) return std::optional<Value>();
  Places places(mine ? *mine : Value::null());
  Value merged;
  if (mine && !theirs) merged = *mine;
  if (!mine) merged = without_directives(*theirs).value_or(Value::empty_list());
  if (mine && theirs) {
    TRY(merged, merge_list(meta, *mine, *theirs, places));
  }
  TRY(Parts parts, split_items(copy_items(merged), order.items(), meta.key));
  TRY(Value::Kind kind,
      element_kind(mine ? *mine : Value::null(), theirs ? *theirs : Value::null()));
  TRY(Value ordered, interleave(std::move(parts.in_patch), std::move(parts.server_only),
                                order.items(), places.items(), meta.key, kind));
  return std::optional<Value>(std::move(ordered));
}

Result<Value> retain_keys(const Value& original, const Value& patch) {
  const Value* keys = patch.find(kRetainKeys);
  if (!keys) return original;
  if (!keys->is_list()) return bad("invalid patch format of retainKeys");
  auto listed = [&](std::string_view name) {
    return std::ranges::any_of(keys->items(),
                               [&](const Value& key) { return key.as_string() == name; });
  };
  for (const Member& member : patch.members()) {
    std::string_view name = member.name();
    if (name == kRetainKeys || member.value.is_null() || name.starts_with(kDeleteScalars) ||
        name.starts_with(kSetOrder)) {
      continue;
    }
    if (!listed(name)) return bad("invalid patch format of retainKeys");
  }
  ObjectBuilder kept;
  for (const Member& member : original.members()) {
    if (listed(member.name())) kept.set(member.key, member.value);
  }
  return std::move(kept).build();
}

// One ordinary field of the patch; nullopt removes it.
Result<std::optional<Value>> merge_field(const Type* type, std::string_view name,
                                         const Value* original, const Value& patch) {
  if (patch.is_null()) return std::optional<Value>();
  if (!original || original->kind() != patch.kind())
    return without_directives(without_nulls(patch));
  if (!patch.is_object() && !patch.is_list()) return std::optional<Value>(patch);
  TRY(FieldMeta meta, meta_of(type, name));
  if (patch.is_object() && meta.replace_object) return std::optional<Value>(patch);
  Places places(*original);
  auto merged = patch.is_object() ? merge_object(meta.type, *original, patch)
                                  : merge_list(meta, *original, patch, places);
  if (!merged.ok()) return std::move(merged).error();
  return std::optional<Value>(std::move(merged).value());
}

Result<Value> merge_object(const Type* type, const Value& original, const Value& patch) {
  if (const Value* directive = patch.find(kDirective)) {
    if (directive->as_string() == "replace") return patch.without(kDirective);
    if (directive->as_string() == "delete") return Value::empty_object();
    return bad_directive(*directive, patch);
  }
  TRY(Value kept, retain_keys(original, patch));
  ObjectBuilder out(kept);
  std::vector<std::string_view> ordered;
  for (const Member& member : patch.members()) {
    if (!member.name().starts_with(kSetOrder)) continue;
    std::string_view field = member.name().substr(kSetOrder.size());
    TRY(auto merged, merge_ordered(type, kept, patch, field, member.value));
    if (!merged) continue;
    out.set(field, std::move(*merged));
    ordered.push_back(field);
  }
  for (const Member& member : patch.members()) {
    std::string_view name = member.name();
    if (name == kRetainKeys || name.starts_with(kSetOrder) || name.starts_with(kDeleteScalars))
      continue;
    if (name.starts_with(kSetOrderName)) return bad("invalid patch format of setElementOrder list");
    if (name.starts_with(kDeleteScalarsName)) return bad("invalid patch format of primitive list");
    if (std::ranges::find(ordered, name) != ordered.end()) continue;
    TRY(auto merged, merge_field(type, name, kept.find(name), member.value));
    if (merged) {
      out.set(member.key, std::move(*merged));
    } else {
      out.remove(name);
    }
  }
  Value result = std::move(out).build();
  for (const Member& member : patch.members()) {
    if (!member.name().starts_with(kDeleteScalars)) continue;
    std::string_view field = member.name().substr(kDeleteScalars.size());
    if (member.value.is_null()) result = result.without(field);
    const Value* list = result.find(field);
    if (!list || !list->is_list() || !member.value.is_list()) continue;
    TRY(Value rest, delete_scalars(*list, member.value));
    result = result.with(field, std::move(rest));
  }
  return result;
}

}  // namespace

Result<Value> apply_strategic_merge(const Type& type, const Value& object, const Value& patch) {
  if (!patch.is_object()) return not_an_object(patch);
  return merge_object(&type, object, patch);
}

}  // namespace orch::schema
