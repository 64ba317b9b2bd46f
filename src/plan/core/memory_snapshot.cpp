#include "plan/core/memory_snapshot.h"

#include "plan/core/object.h"

namespace orch::plan {

ObjectTable::ObjectTable(std::string_view resource) {
  for (const IndexFunction& function : index_functions())
    if (function.resource.empty() || function.resource == resource) indexes_.push_back(Index{&function, {}});
}

ObjectTable::Objects::const_iterator ObjectTable::find(std::string_view ns, std::string_view name) const {
  return objects_.find(Id(ns, name));
}

void ObjectTable::file(Objects::const_iterator at) {
  std::vector<std::string> keys;
  for (Index& index : indexes_) {
    keys.clear();
    index.function->keys(at->second.object, keys);
    for (std::string& key : keys) index.buckets[std::move(key)].insert(at);
  }
}

void ObjectTable::unfile(Objects::const_iterator at) {
  std::vector<std::string> keys;
  for (Index& index : indexes_) {
    keys.clear();
    index.function->keys(at->second.object, keys);
    for (const std::string& key : keys) {
      auto bucket = index.buckets.find(key);
      if (bucket == index.buckets.end()) continue;
      bucket->second.erase(at);
      if (bucket->second.empty()) index.buckets.erase(bucket);
    }
  }
}

Value ObjectTable::put(const Value& object, Mono seen) {
  Id id(namespace_of(object), name_of(object));
  auto [at, added] = objects_.try_emplace(std::move(id));
  Value old = std::move(at->second.object);
  if (!added) {
    at->second.object = old;
    unfile(at);
  }
  at->second = Entry{object, seen};
  file(at);
  return added ? Value() : old;
}

Value ObjectTable::erase(std::string_view ns, std::string_view name) {
  auto at = find(ns, name);
  if (at == objects_.end()) return Value();
  unfile(at);
  Value old = at->second.object;
  objects_.erase(at);
  return old;
}

const Value& ObjectTable::get(std::string_view ns, std::string_view name) const {
  auto at = find(ns, name);
  return at == objects_.end() ? Value::null() : at->second.object;
}

std::optional<Mono> ObjectTable::seen_at(std::string_view ns, std::string_view name) const {
  auto at = find(ns, name);
  if (at == objects_.end()) return std::nullopt;
  return at->second.seen;
}

std::vector<Value> ObjectTable::list(std::string_view ns) const {
  std::vector<Value> objects;
  auto at = ns.empty() ? objects_.begin() : objects_.lower_bound(Id(ns, ""));
  for (; at != objects_.end() && (ns.empty() || at->first.first == ns); ++at) objects.push_back(at->second.object);
  return objects;
}

std::vector<Value> ObjectTable::indexed(std::string_view name, std::string_view key) const {
  std::vector<Value> objects;
  for (const Index& index : indexes_) {
    if (index.function->name != name) continue;
    auto bucket = index.buckets.find(std::string(key));
    if (bucket == index.buckets.end()) break;
    for (auto at : bucket->second) objects.push_back(at->second.object);
  }
  return objects;
}

ObjectTable& MemorySnapshot::add_type(const KnownType& known) {
  known_.push_back(known);
  auto& table = tables_[known.type.id()];
  table = std::make_unique<ObjectTable>(known.type.resource);
  return *table;
}

ObjectTable* MemorySnapshot::table(std::string_view type_id) const {
  auto at = tables_.find(type_id);
  return at == tables_.end() ? nullptr : at->second.get();
}

Value MemorySnapshot::get(const Type& type, std::string_view ns, std::string_view name) const {
  const ObjectTable* objects = table(type.id());
  return objects ? objects->get(ns, name) : Value();
}

std::vector<Value> MemorySnapshot::list(const Type& type, std::string_view ns) const {
  const ObjectTable* objects = table(type.id());
  return objects ? objects->list(ns) : std::vector<Value>();
}

std::vector<Value> MemorySnapshot::indexed(const Type& type, std::string_view index, std::string_view key) const {
  const ObjectTable* objects = table(type.id());
  return objects ? objects->indexed(index, key) : std::vector<Value>();
}

std::optional<Mono> MemorySnapshot::seen_at(const Type& type, std::string_view ns, std::string_view name) const {
  const ObjectTable* objects = table(type.id());
  return objects ? objects->seen_at(ns, name) : std::nullopt;
}

}  // namespace orch::plan
