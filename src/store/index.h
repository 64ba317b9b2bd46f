#pragma once
// Index: the current state, ordered by key. Sorted runs of handles, 16 bytes an object: the key is
// the one inside the object. Counting a prefix costs O(runs), finding a key O(log n).

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace orch::store {

class Index {
 public:
  struct Position {
    size_t run = 0;
    size_t offset = 0;
    auto operator<=>(const Position&) const = default;
  };

  void assign(std::vector<StoredPtr> objects);  // any order; keys are unique
  void put(StoredPtr object);                   // inserts or replaces
  void erase(std::string_view key);

  StoredPtr find(std::string_view key) const;
  // Some object whose key is next to `key` in the order; null where there is none.
  StoredPtr neighbour(std::string_view key) const;
  size_t size() const { return size_; }

  Position begin() const { return {}; }
  Position end() const { return {runs_.size(), 0}; }
  Position lower_bound(std::string_view key) const;  // first key >= `key`
  Position upper_bound(std::string_view key) const;  // first key > `key`
  Position prefix_end(std::string_view prefix) const;
  size_t distance(Position from, Position to) const;

  const StoredPtr& at(Position position) const { return runs_[position.run][position.offset]; }
  Position next(Position position) const {
    if (++position.offset < runs_[position.run].size()) return position;
    return {position.run + 1, 0};
  }

 private:
  using Run = std::vector<StoredPtr>;  // never empty
  Position normal(size_t run, size_t offset) const;
  std::vector<Run> runs_;
  size_t size_ = 0;
};

}  // namespace orch::store
