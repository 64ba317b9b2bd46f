#pragma once
// Small ways to change Values inside the rules; what does not change stays shared.

#include "schema/rebuild.h"
#include "schema/rules/check.h"
#include "schema/shape.h"

namespace orch::schema::rules {

// The list with each item replaced by act(item).
template <class F>
Value map_items(const Value& list, F&& act) {
  if (!list.is_list()) return list;
  ListRebuild rebuild(list);
  for (const Value& item : list.items()) rebuild.keep(item, act(item));
  return std::move(rebuild).finish();
}

// The object with the member replaced by act(member); without it nothing happens.
template <class F>
Value map_member(const Value& object, std::string_view name, F&& act) {
  const Value* member = object.find(name);
  if (!member) return object;
  Value changed = act(*member);
  return changed.same(*member) ? object : object.with(name, std::move(changed));
}

// Sets the member where it is absent or null.
inline Value with_default(const Value& object, std::string_view name, Value value) {
  return object[name].is_null() ? object.with(name, std::move(value)) : object;
}


}  // namespace orch::schema::rules
