#include "store/sharing.h"

#include <utility>

namespace orch::store {

namespace {

// Shared scalars of at most 15 bytes live inside the handle: nothing to gain.
bool has_storage(const Value& value) {
  return value.is_object() || value.is_list() || value.as_string().size() > 15;
}

struct Shared {
  Value value;
  bool all = false;      // the model itself: value == model
  bool changed = false;  // another handle than before
};

Shared share(const Value& model, const Value& value);

Shared share_object(const Value& model, const Value& value) {
  auto theirs = model.members(), mine = value.members();
  std::vector<Member> out;
  out.reserve(mine.size());
  bool all = theirs.size() == mine.size();
  bool changed = false;
  size_t at = 0;
  for (const Member& member : mine) {
    while (at < theirs.size() && !theirs[at].key.same(member.key) && theirs[at].name() < member.name()) ++at;
    if (at == theirs.size() ||
        (!theirs[at].key.same(member.key) && theirs[at].name() != member.name())) {
      all = false;
      out.push_back(member);
      continue;
    }
    Shared child = share(theirs[at].value, member.value);
    all = all && child.all;
    changed = changed || child.changed || !theirs[at].key.same(member.key);
    out.push_back({theirs[at].key, std::move(child.value)});
    ++at;
  }
  if (all) return {model, true, true};
  if (!changed) return {value, false, false};
  return {Value::object(std::move(out)), false, true};
}

Shared share_list(const Value& model, const Value& value) {
  std::vector<Value> out;
  out.reserve(value.size());
  bool all = model.size() == value.size();
  bool changed = false;
  for (size_t i = 0; i < value.size(); ++i) {
    if (i >= model.size()) {
      out.push_back(value.at(i));
      continue;
    }
    Shared child = share(model.at(i), value.at(i));
    all = all && child.all;
    changed = changed || child.changed;
    out.push_back(std::move(child.value));
  }
  if (all) return {model, true, true};
  if (!changed) return {value, false, false};
  return {Value::list(std::move(out)), false, true};
}

Shared share(const Value& model, const Value& value) {
  if (model.same(value)) return {value, true, false};
  if (model.kind() != value.kind() || !has_storage(value)) return {value, false, false};
  if (value.is_object()) return share_object(model, value);
  if (value.is_list()) return share_list(model, value);
  if (model == value) return {model, true, true};
  return {value, false, false};
}

}  // namespace

Value share_storage(const Value& model, const Value& value) { return share(model, value).value; }

size_t unshared_bytes(const Value& value, const Value& other) {
  if (value.same(other)) return 0;
  if (value.is_object() && other.is_object()) {
    size_t total = 16;
    for (const Member& member : value.members()) {
      total += sizeof(Member) + unshared_bytes(member.value, other[member.name()]);
    }
    return total;
  }
  if (value.is_list() && other.is_list()) {
    size_t total = 16;
    for (size_t i = 0; i < value.size(); ++i) {
      total += sizeof(Value) + unshared_bytes(value.at(i), other.at(i));
    }
    return total;
  }
  return value.heap_bytes();
}

}  // namespace orch::store
