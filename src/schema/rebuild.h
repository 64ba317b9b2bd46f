#pragma once
// Going over an object or a list and changing some of it. As long as nothing changes nothing is
// allocated, and the result is the original Value: subtrees stay shared.

#include <vector>

#include "data/value.h"

namespace orch::schema {

// The members must be passed in order, each once; insertions at their sorted place keep
// Value::object from sorting.
class ObjectRebuild {
 public:
  explicit ObjectRebuild(const Value& original) : original_(original) {}

  void keep(const Member& member, Value value) {
    if (!changed_ && value.same(member.value)) {
      ++kept_;
      return;
    }
    change();
    members_.push_back({member.key, std::move(value)});
  }
  void drop(const Member&) { change(); }
  void insert(const Key& key, Value value) {
    change();
    members_.push_back({key, std::move(value)});
  }
  Value finish() && { return changed_ ? Value::object(std::move(members_)) : original_; }

 private:
  void change() {
    if (changed_) return;
    changed_ = true;
    auto all = original_.members();
    members_.reserve(all.size() + 4);
    members_.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(kept_));
  }
  const Value& original_;
  size_t kept_ = 0;
  bool changed_ = false;
  std::vector<Member> members_;
};

class ListRebuild {
 public:
  explicit ListRebuild(const Value& original) : original_(original) {}

  void keep(const Value& item, Value value) {
    if (!changed_ && value.same(item)) {
      ++kept_;
      return;
    }
    if (!changed_) {
      changed_ = true;
      auto all = original_.items();
      items_.reserve(all.size());
      items_.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(kept_));
    }
    items_.push_back(std::move(value));
  }
  Value finish() && { return changed_ ? Value::list(std::move(items_)) : original_; }

 private:
  const Value& original_;
  size_t kept_ = 0;
  bool changed_ = false;
  std::vector<Value> items_;
};

}  // namespace orch::schema
