#pragma once
// Typed views: `core_v1::Pod pod(value)` gives pod.spec().node_name() over an untyped Value. The
// classes are generated from kinds/*.schema at build time (generate_views.py ->
// schema/views/core_v1.h, namespace orch::schema::core_v1). A view borrows: the Value it was made
// from must outlive it and everything it returned. Wrong kinds and absent fields read as zero, "",
// empty or nullopt; nothing aborts on bad data.
//
// Fields become snake_case methods; C++ keywords get an underscore: namespace_(), template_().
//   int32, int64 -> int64_t      string, bytes -> std::string_view      *scalar -> std::optional
//   time -> std::optional<Instant>   quantity -> Quantity   intorstring, raw, json -> const Value&
//   T -> view (false in a boolean context where absent)
//   T[] -> ListView<T>           map[T] -> MapView<T>

#include <iterator>
#include <optional>
#include <string_view>

#include "base/time.h"
#include "data/quantity.h"
#include "data/value.h"

namespace orch::schema {

class View {
 public:
  explicit View(const Value& value) : object_(&value) {}
  explicit View(Value&&) = delete;  // would dangle
  const Value& raw_value() const { return *object_; }
  explicit operator bool() const { return !object_->is_null(); }
  bool has(std::string_view field) const { return object_->has(field); }

 protected:
  const Value* object_;
};

// How one item of a list or map, or one field, reads.
template <class T>
T read(const Value& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value.as_bool();
  } else if constexpr (std::is_same_v<T, int64_t>) {
    return value.as_int();
  } else if constexpr (std::is_same_v<T, double>) {
    return value.as_double();
  } else if constexpr (std::is_same_v<T, std::string_view>) {
    return value.as_string();
  } else if constexpr (std::is_same_v<T, Quantity>) {
    return Quantity::from(value);
  } else {
    return T(value);
  }
}
template <>
inline const Value& read<const Value&>(const Value& value) {
  return value;
}

template <class T>
std::optional<T> read_optional(const Value& value) {
  if (value.is_null()) return std::nullopt;
  return read<T>(value);
}

inline std::optional<Instant> read_time(const Value& value) {
  if (!value.is_string()) return std::nullopt;
  auto time = parse_time(value.as_string());
  return time.ok() ? std::optional(time.value()) : std::nullopt;
}

inline std::optional<Duration> read_duration(const Value& value) {
  if (!value.is_string()) return std::nullopt;
  auto duration = parse_duration(value.as_string());
  return duration.ok() ? std::optional(duration.value()) : std::nullopt;
}

template <class T>
class ListView {
 public:
  explicit ListView(const Value& list) : list_(&list) {}
  class Iterator {
   public:
    using difference_type = std::ptrdiff_t;
    using value_type = std::remove_cvref_t<T>;
    using reference = T;
    using iterator_category = std::input_iterator_tag;
    Iterator() = default;
    explicit Iterator(const Value* at) : at_(at) {}
    T operator*() const { return read<T>(*at_); }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) { return Iterator(at_++); }
    bool operator==(const Iterator&) const = default;

   private:
    const Value* at_ = nullptr;
  };
  Iterator begin() const { return Iterator(list_->items().data()); }
  Iterator end() const { return Iterator(list_->items().data() + list_->items().size()); }
  size_t size() const { return list_->items().size(); }
  bool empty() const { return size() == 0; }
  T operator[](size_t i) const { return read<T>(list_->at(i)); }
  const Value& value() const { return *list_; }

 private:
  const Value* list_;
};

template <class T>
class MapView {
 public:
  explicit MapView(const Value& map) : map_(&map) {}
  T operator[](std::string_view key) const { return read<T>((*map_)[key]); }
  std::optional<std::remove_cvref_t<T>> find(std::string_view key) const {
    const Value* found = map_->find(key);
    if (!found) return std::nullopt;
    return read<T>(*found);
  }
  bool has(std::string_view key) const { return map_->has(key); }
  std::span<const Member> members() const { return map_->members(); }
  size_t size() const { return map_->members().size(); }
  bool empty() const { return size() == 0; }
  const Value& value() const { return *map_; }

 private:
  const Value* map_;
};

}  // namespace orch::schema
