#pragma once
// ObjectTable: the objects of one type with their indexes. MemorySnapshot: a Snapshot over tables;
// informers fill it from the API, tests by hand.

#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "plan/core/index.h"
#include "plan/core/snapshot.h"

namespace orch::plan {

class ObjectTable {
 public:
  explicit ObjectTable(std::string_view resource);
  ObjectTable(const ObjectTable&) = delete;
  ObjectTable& operator=(const ObjectTable&) = delete;

  // What was there before, null if nothing.
  Value put(const Value& object, Mono seen);
  Value erase(std::string_view ns, std::string_view name);
  const Value& get(std::string_view ns, std::string_view name) const;
  std::optional<Mono> seen_at(std::string_view ns, std::string_view name) const;
  std::vector<Value> list(std::string_view ns) const;
  std::vector<Value> indexed(std::string_view index, std::string_view key) const;
  size_t size() const { return objects_.size(); }

 private:
  using Id = std::pair<std::string, std::string>;
  struct Entry {
    Value object;
    Mono seen;
  };
  using Objects = std::map<Id, Entry, std::less<>>;
  struct ById {
    bool operator()(Objects::const_iterator a, Objects::const_iterator b) const { return a->first < b->first; }
  };
  using Bucket = std::set<Objects::const_iterator, ById>;
  struct Index {
    const IndexFunction* function;
    std::unordered_map<std::string, Bucket> buckets;
  };
  Objects::const_iterator find(std::string_view ns, std::string_view name) const;
  void file(Objects::const_iterator at);
  void unfile(Objects::const_iterator at);

  Objects objects_;
  std::vector<Index> indexes_;
};

class MemorySnapshot final : public Snapshot {
 public:
  // `type`'s texts must outlive the snapshot.
  ObjectTable& add_type(const KnownType& known);
  ObjectTable* table(std::string_view type_id) const;

  Value get(const Type& type, std::string_view ns, std::string_view name) const override;
  std::vector<Value> list(const Type& type, std::string_view ns) const override;
  std::vector<Value> indexed(const Type& type, std::string_view index, std::string_view key) const override;
  std::vector<KnownType> known_types() const override { return known_; }
  std::optional<Mono> seen_at(const Type& type, std::string_view ns, std::string_view name) const override;

 private:
  std::vector<KnownType> known_;
  std::map<std::string, std::unique_ptr<ObjectTable>, std::less<>> tables_;
};

}  // namespace orch::plan
