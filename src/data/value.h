#pragma once
// Value: an immutable JSON tree with structural sharing. Copying a Value copies a handle (16 bytes,
// one atomic increment at most); a subtree that two objects share is stored once. Values may be
// handed between threads. Changing means building: `with`, `without`, ObjectBuilder, ListBuilder.
//
// Objects keep their members sorted by key (bytewise): lookup is a binary search, equality and
// serialized bytes are canonical. Integers and doubles are distinct kinds (as in Go's decoding of
// JSON); 1 and 1.0 compare unequal.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace orch {

class Value;
struct Member;

namespace detail {
struct Node;        // a counted heap block: long string, list or object
struct KeyNode;     // a counted key text
void retain(Node* node);
void release(Node* node);
}  // namespace detail

// An object's key. Keys of the same text made by the same parse share storage where possible.
class Key {
 public:
  explicit Key(std::string_view text);
  Key(const Key& other);
  Key(Key&& other) noexcept : node_(other.node_) { other.node_ = nullptr; }
  Key& operator=(Key other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~Key();
  std::string_view view() const;
  bool same(const Key& other) const { return node_ == other.node_; }

 private:
  detail::KeyNode* node_;
};

// Makes keys of equal text share one block: give one to a parser that reads many objects.
class KeyCache {
 public:
  KeyCache();
  ~KeyCache();
  KeyCache(const KeyCache&) = delete;
  KeyCache& operator=(const KeyCache&) = delete;
  // Texts longer than 64 bytes are not cached; the cache stops growing at 16,384 keys.
  Key get(std::string_view text);

 private:
  struct Table;
  Table* table_;
};

class Value {
 public:
  enum class Kind : uint8_t { null, boolean, integer, number, string, list, object };

  Value() : Value(nullptr) {}
  Value(std::nullptr_t);                                       // NOLINT: implicit
  template <class T>
    requires std::is_same_v<T, bool>
  Value(T b) { set_bool(b); }                                  // NOLINT: implicit
  Value(int i) : Value(static_cast<int64_t>(i)) {}             // NOLINT: implicit
  Value(unsigned i) : Value(static_cast<int64_t>(i)) {}        // NOLINT: implicit
  Value(int64_t i);                                            // NOLINT: implicit
  Value(uint64_t i) : Value(static_cast<int64_t>(i)) {}        // NOLINT: implicit
  Value(double d);                                             // NOLINT: implicit
  Value(std::string_view s);                                   // NOLINT: implicit
  Value(const std::string& s) : Value(std::string_view(s)) {}  // NOLINT: implicit
  Value(const char* s) : Value(std::string_view(s)) {}         // NOLINT: implicit
  // The last of several members with the same key wins.
  static Value object(std::initializer_list<std::pair<std::string_view, Value>> members);
  static Value object(std::vector<Member> members);
  static Value list(std::vector<Value> items);
  static const Value& null();          // a null that outlives every borrow
  static const Value& empty_object();
  static const Value& empty_list();

  Value(const Value& other);
  Value(Value&& other) noexcept;
  Value& operator=(Value other) noexcept {
    swap(other);
    return *this;
  }
  ~Value();
  void swap(Value& other) noexcept;

  Kind kind() const;
  bool is_null() const { return kind() == Kind::null; }
  bool is_bool() const { return kind() == Kind::boolean; }
  bool is_int() const { return kind() == Kind::integer; }
  bool is_double() const { return kind() == Kind::number; }
  bool is_number() const { return is_int() || is_double(); }
  bool is_string() const { return kind() == Kind::string; }
  bool is_list() const { return kind() == Kind::list; }
  bool is_object() const { return kind() == Kind::object; }
  explicit operator bool() const { return !is_null(); }

  // The content, or the fallback where the kind is another (never aborts: data is not trusted).
  bool as_bool(bool fallback = false) const;
  int64_t as_int(int64_t fallback = 0) const;   // a double with an integral value converts
  double as_double(double fallback = 0) const;  // an integer converts
  std::string_view as_string(std::string_view fallback = {}) const;  // borrows from this Value

  size_t size() const;  // of a list or object; 0 otherwise
  bool empty() const { return size() == 0; }

  // Lists. Out of range, or not a list: null. items() borrows.
  const Value& at(size_t index) const;
  std::span<const Value> items() const;

  // Objects. Absent, or not an object: null. members() borrows, sorted by key.
  const Value& operator[](std::string_view key) const;
  const Value* find(std::string_view key) const;
  bool has(std::string_view key) const { return find(key) != nullptr; }
  std::span<const Member> members() const;

  // The value at a path of object keys: v.path({"spec", "template"}).
  const Value& path(std::initializer_list<std::string_view> keys) const;

  // New values. `with` on a non-object starts from an empty object.
  Value with(std::string_view key, Value value) const;
  Value without(std::string_view key) const;
  // Sets (or, with nullopt, removes) a member deep inside, making the objects on the way;
  // removing keeps objects that become empty.
  Value with_path(std::span<const std::string_view> keys, std::optional<Value> value) const;
  Value with_path(std::initializer_list<std::string_view> keys, std::optional<Value> value) const {
    return with_path(std::span(keys.begin(), keys.size()), std::move(value));
  }
  Value appended(Value item) const;              // to a list (a non-list starts an empty one)
  Value with_item(size_t index, Value item) const;

  // Deep equality, kinds included; identical storage compares in O(1).
  bool operator==(const Value& other) const;
  // A total order over all values (kind, then content): for sorting and canonical sets.
  static int compare(const Value& a, const Value& b);
  // The same storage (or equal scalars): a cheap "nothing changed".
  bool same(const Value& other) const;

  // Heap bytes this tree holds, shared blocks counted in full each time: for memory accounting.
  size_t heap_bytes() const;
  // Levels of nesting; a scalar has 0.
  size_t depth() const;

 private:
  // Layout: 16 bytes. tag_ < 16: inline string of that length in bytes_; else see value.cpp.
  void set_bool(bool b);
  detail::Node* node() const;
  bool counted() const;
  union {
    struct {
      unsigned char bytes_[15];
      unsigned char tag_;
    };
    struct {
      union {
        int64_t int_;
        double double_;
        detail::Node* node_;
      };
      uint64_t pad_;
    };
  };
};

static_assert(sizeof(Value) == 16);

struct Member {
  Key key;
  Value value;
  std::string_view name() const { return key.view(); }
};

// Builds one object; members may come in any order, the last of equal keys wins.
class ObjectBuilder {
 public:
  ObjectBuilder() = default;
  explicit ObjectBuilder(const Value& from);  // starts with the members of an object
  ObjectBuilder& set(std::string_view key, Value value);
  ObjectBuilder& set(Key key, Value value);
  // Only where the value is not null / not an empty list, object or string.
  ObjectBuilder& set_if(std::string_view key, Value value);
  ObjectBuilder& remove(std::string_view key);
  bool empty() const { return members_.empty(); }
  Value build() &&;

 private:
  std::vector<Member> members_;
};

}  // namespace orch
