#include "schema/make_strategic_merge.h"

#include <algorithm>

#include "data/json.h"

namespace orch::schema {

namespace {

constexpr std::string_view kRetainKeys = "$retainKeys";
constexpr std::string_view kOrderPrefix = "$setElementOrder/";
constexpr std::string_view kDeletePrefix = "$deleteFromPrimitiveList/";

// Which halves of the difference are wanted, as in the algorithm's two passes.
struct Want {
  bool changes = true;    // and additions
  bool deletions = true;
  bool order = false;     // $setElementOrder lists
  bool retain_keys = false;
};

// What is known of a place in the tree: the type of the object there (null: unknown, or a map).
struct Place {
  const Type* type = nullptr;
  const FieldType* map = nullptr;  // an object that is a map of these
};

// The place and the patch strategy of a member.
struct Step {
  Place place;
  const PatchStrategy* patch = nullptr;
};

Step step_into(const Place& place, std::string_view name) {
  if (place.type) {
    const Field* field = place.type->find(name);
    if (!field) return {};
    Step step;
    step.patch = &field->patch;
    if (field->type.shape == Shape::map) {
      step.place.map = &field->type;
    } else {
      step.place.type = field->type.object;
    }
    return step;
  }
  // A value of a map: its lists have no strategy of their own.
  if (place.map && !place.map->list_values) return {Place{place.map->object, nullptr}, nullptr};
  return {};
}

bool merges(const Step& step) { return step.patch && step.patch->merge; }

std::string text_of(const Value& value) {
  return value.is_string() ? std::string(value.as_string()) : format_json(value);
}

Error no_merge_key(std::string_view key, const Value& item) {
  return Error::make(Code::bad_request, "map: " + format_json(item) +
                                            " does not contain declared merge key: " + std::string(key));
}

Result<Value> diff_objects(const Place& place, const Value& from, const Value& to, const Want& want);

struct ListPatch {
  std::vector<Value> items;      // added, changed, or {key, $patch: delete}
  std::vector<Value> deletions;  // of scalars
  std::vector<Value> order;
};

struct Keyed {
  std::string key;
  const Value* item;
};

Result<std::vector<Keyed>> by_merge_key(const Value& list, std::string_view key) {
  std::vector<Keyed> all;
  for (const Value& item : list.items()) {
    const Value* value = item.find(key);
    if (!value) return no_merge_key(key, item);
    all.push_back({text_of(*value), &item});
  }
  return all;
}

const Value* find_keyed(const std::vector<Keyed>& all, const std::string& key) {
  auto found = std::ranges::find(all, key, &Keyed::key);
  return found == all.end() ? nullptr : found->item;
}

bool same_order(const std::vector<Keyed>& a, const std::vector<Keyed>& b) {
  return a.size() == b.size() &&
         std::ranges::equal(a, b, {}, &Keyed::key, &Keyed::key);
}

Result<ListPatch> diff_object_lists(const Step& step, const Value& from, const Value& to,
                                    const Want& want) {
  const std::string& key = step.patch->key;
  TRY(auto old_items, by_merge_key(from, key));
  TRY(auto new_items, by_merge_key(to, key));
  ListPatch patch;
  for (const Keyed& item : new_items) {
    const Value* old_item = find_keyed(old_items, item.key);
    if (!old_item) {
      if (want.changes) patch.items.push_back(*item.item);
      continue;
    }
    TRY(Value changes, diff_objects(step.place, *old_item, *item.item, want));
    if (!changes.empty()) patch.items.push_back(changes.with(key, (*item.item)[key]));
  }
  for (const Keyed& item : old_items) {
    if (want.deletions && !find_keyed(new_items, item.key)) {
      patch.items.push_back(Value::object({{"$patch", "delete"}, {key, (*item.item)[key]}}));
    }
  }
  const bool changed = !patch.items.empty();
  if (want.order && ((want.changes && (changed || !same_order(old_items, new_items))) ||
                     (want.deletions && changed))) {
    for (const Keyed& item : new_items) {
      patch.order.push_back(Value::object({{key, (*item.item)[key]}}));
    }
  }
  return patch;
}

bool contains(const Value& list, const Value& item) {
  return std::ranges::find(list.items(), item) != list.items().end();
}

ListPatch diff_scalar_lists(const Value& from, const Value& to, const Want& want) {
  ListPatch patch;
  for (const Value& item : to.items()) {
    if (want.changes && !contains(from, item)) patch.items.push_back(item);
  }
  for (const Value& item : from.items()) {
    if (want.deletions && !contains(to, item)) patch.deletions.push_back(item);
  }
  std::ranges::sort(patch.deletions,
                    [](const Value& a, const Value& b) { return text_of(a) < text_of(b); });
  auto [first, last] = std::ranges::unique(patch.deletions);
  patch.deletions.erase(first, last);
  if (want.order &&
      ((want.deletions && !patch.deletions.empty()) || (want.changes && !(from == to)))) {
    patch.order.assign(to.items().begin(), to.items().end());
  }
  return patch;
}

Result<ListPatch> diff_lists(const Step& step, const Value& from, const Value& to, Want want) {
  want.retain_keys = step.patch->retain_keys;
  if (from.empty()) {
    ListPatch patch;
    if (want.changes) patch.items.assign(to.items().begin(), to.items().end());
    return patch;
  }
  if (from.at(0).is_object()) return diff_object_lists(step, from, to, want);
  return diff_scalar_lists(from, to, want);
}

Result<void> diff_member(const Place& place, std::string_view name, const Value& from, const Value& to,
                         const Want& want, ObjectBuilder& patch) {
  const Step step = step_into(place, name);
  if (from.is_object() && to.is_object()) {
    Want inner = want;
    inner.retain_keys = step.patch && step.patch->retain_keys;
    TRY(Value changes, diff_objects(step.place, from, to, inner));
    if (!changes.empty()) patch.set(name, std::move(changes));
    return {};
  }
  if (from.is_list() && to.is_list() && merges(step)) {
    TRY(ListPatch changes, diff_lists(step, from, to, want));
    std::string text(name);
    if (!changes.items.empty()) patch.set(name, Value::list(std::move(changes.items)));
    if (!changes.deletions.empty()) {
      patch.set(std::string(kDeletePrefix) + text, Value::list(std::move(changes.deletions)));
    }
    if (!changes.order.empty()) {
      patch.set(std::string(kOrderPrefix) + text, Value::list(std::move(changes.order)));
    }
    return {};
  }
  if (want.changes && !(from == to)) patch.set(name, to);
  return {};
}

Result<Value> diff_objects(const Place& place, const Value& from, const Value& to, const Want& want) {
  ObjectBuilder patch;
  std::vector<Value> kept;  // already sorted: members are
  bool additional = false;  // `from` has members that `to` has not
  for (const Member& member : from.members()) {
    const Value* next = to.find(member.name());
    if (!next) {
      additional = true;
      if (want.deletions) patch.set(member.name(), Value());
      continue;
    }
    TRY_VOID(diff_member(place, member.name(), member.value, *next, want, patch));
  }
  for (const Member& member : to.members()) {
    const bool is_new = !from.has(member.name());
    if (is_new && want.changes) patch.set(member.name(), member.value);
    if (!member.value.is_null()) kept.push_back(Value(member.name()));
  }
  if (want.retain_keys && !kept.empty() && (!patch.empty() || additional)) {
    patch.set(kRetainKeys, Value::list(std::move(kept)));
  }
  return std::move(patch).build();
}

// --- one patch over another

Value merge_patches(const Place& place, const Value& deletions, const Value& delta);

Value merge_item_lists(const Step& step, const Value& deletions, const Value& delta) {
  const std::string& key = step.patch->key;
  if (key.empty()) {
    std::vector<Value> all(delta.items().begin(), delta.items().end());
    for (const Value& item : deletions.items()) {
      if (!contains(delta, item)) all.push_back(item);
    }
    return Value::list(std::move(all));
  }
  std::vector<Value> all;
  for (const Value& item : delta.items()) {
    auto same_key = [&](const Value& other) { return other[key] == item[key]; };
    auto found = std::ranges::find_if(deletions.items(), same_key);
    all.push_back(found == deletions.items().end() ? item : merge_patches(step.place, *found, item));
  }
  for (const Value& item : deletions.items()) {
    auto same_key = [&](const Value& other) { return other[key] == item[key]; };
    if (std::ranges::none_of(delta.items(), same_key)) all.push_back(item);
  }
  return Value::list(std::move(all));
}

Value merge_patches(const Place& place, const Value& deletions, const Value& delta) {
  ObjectBuilder merged(deletions);
  for (const Member& member : delta.members()) {
    const Value* deleted = deletions.find(member.name());
    const Step step = step_into(place, member.name());
    if (deleted && deleted->is_object() && member.value.is_object()) {
      merged.set(member.name(), merge_patches(step.place, *deleted, member.value));
    } else if (deleted && deleted->is_list() && member.value.is_list() && merges(step)) {
      merged.set(member.name(), merge_item_lists(step, *deleted, member.value));
    } else {
      merged.set(member.name(), member.value);
    }
  }
  return std::move(merged).build();
}

}  // namespace

Result<Value> make_two_way_merge(const Type& type, const Value& from, const Value& to) {
  Want everything;
  everything.order = true;
  return diff_objects(Place{&type, nullptr}, from, to, everything);
}

Result<Value> make_three_way_merge(const Type& type, const Value& original, const Value& modified,
                                   const Value& current) {
  const Place place{&type, nullptr};
  Want changes;
  changes.deletions = false;
  changes.order = true;
  TRY(Value delta, diff_objects(place, current, modified, changes));
  Want removals;
  removals.changes = false;
  removals.order = true;
  TRY(Value deletions, diff_objects(place, original, modified, removals));
  return merge_patches(place, deletions, delta);
}

}  // namespace orch::schema
