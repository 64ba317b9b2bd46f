#include "data/value.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>
#include <unordered_map>

#include "base/check.h"

namespace orch {

namespace detail {

// Header of a heap block. A string's bytes, a list's Values or an object's Members follow it.
struct Node {
  std::atomic<uint32_t> count;
  uint32_t size;
  Value::Kind kind;

  static constexpr size_t kOffset = 16;
  char* text() { return reinterpret_cast<char*>(this) + kOffset; }
  Value* values() { return reinterpret_cast<Value*>(text()); }
  Member* members() { return reinterpret_cast<Member*>(text()); }
};
static_assert(sizeof(Node) <= Node::kOffset);

struct KeyNode {
  std::atomic<uint32_t> count;
  uint32_t size;
  char* text() { return reinterpret_cast<char*>(this + 1); }
};

namespace {

Node* allocate(Value::Kind kind, size_t size, size_t item_bytes) {
  ORCH_CHECK(size < UINT32_MAX);
  void* memory = std::malloc(Node::kOffset + size * item_bytes);
  ORCH_CHECK(memory != nullptr);
  Node* node = new (memory) Node;
  node->count.store(1, std::memory_order_relaxed);
  node->size = static_cast<uint32_t>(size);
  node->kind = kind;
  return node;
}

void destroy(Node* node) {
  if (node->kind == Value::Kind::list) std::destroy_n(node->values(), node->size);
  if (node->kind == Value::Kind::object) std::destroy_n(node->members(), node->size);
  std::free(node);
}

}  // namespace

void retain(Node* node) { node->count.fetch_add(1, std::memory_order_relaxed); }

void release(Node* node) {
  if (node->count.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy(node);
}

}  // namespace detail

using detail::Node;

// ---- Key

Key::Key(std::string_view text) {
  void* memory = std::malloc(sizeof(detail::KeyNode) + text.size());
  ORCH_CHECK(memory != nullptr);
  node_ = new (memory) detail::KeyNode;
  node_->count.store(1, std::memory_order_relaxed);
  node_->size = static_cast<uint32_t>(text.size());
  if (!text.empty()) std::memcpy(node_->text(), text.data(), text.size());
}

Key::Key(const Key& other) : node_(other.node_) {
  if (node_) node_->count.fetch_add(1, std::memory_order_relaxed);
}

Key::~Key() {
  if (node_ && node_->count.fetch_sub(1, std::memory_order_acq_rel) == 1) std::free(node_);
}

std::string_view Key::view() const { return {node_->text(), node_->size}; }

struct KeyCache::Table {
  std::unordered_map<std::string_view, Key> keys;
};

KeyCache::KeyCache() : table_(new Table) {}
KeyCache::~KeyCache() { delete table_; }

Key KeyCache::get(std::string_view text) {
  auto found = table_->keys.find(text);
  if (found != table_->keys.end()) return found->second;
  Key key(text);
  if (text.size() <= 64 && table_->keys.size() < 16384) table_->keys.emplace(key.view(), key);
  return key;
}

// ---- Value

namespace {

// tag_ 0..15: a string of that length, in place. Above: the kinds.
constexpr unsigned char kNull = 16;
constexpr unsigned char kFalse = 17;
constexpr unsigned char kTrue = 18;
constexpr unsigned char kInt = 19;
constexpr unsigned char kDouble = 20;
constexpr unsigned char kText = 21;  // from here on node_ is counted
constexpr unsigned char kList = 22;
constexpr unsigned char kObject = 23;

bool key_less(const Member& a, const Member& b) { return a.key.view() < b.key.view(); }

// Sorted by key, the last of equal keys kept.
void canonicalize(std::vector<Member>& members) {
  if (std::ranges::is_sorted(members, [](auto& a, auto& b) { return key_less(a, b); }) &&
      std::ranges::adjacent_find(members, [](auto& a, auto& b) {
        return a.key.view() == b.key.view();
      }) == members.end()) {
    return;
  }
  std::ranges::stable_sort(members, [](auto& a, auto& b) { return key_less(a, b); });
  size_t out = 0;
  for (size_t i = 0; i < members.size(); ++i) {
    if (i + 1 < members.size() && members[i].key.view() == members[i + 1].key.view()) continue;
    if (out != i) members[out] = std::move(members[i]);
    ++out;
  }
  members.erase(members.begin() + static_cast<std::ptrdiff_t>(out), members.end());
}

const Member* lower_bound(std::span<const Member> members, std::string_view key) {
  return std::lower_bound(members.data(), members.data() + members.size(), key,
                          [](const Member& m, std::string_view k) { return m.key.view() < k; });
}

}  // namespace

Value::Value(std::nullptr_t) : pad_(0) {
  int_ = 0;
  tag_ = kNull;
}

void Value::set_bool(bool b) {
  int_ = 0;
  pad_ = 0;
  tag_ = b ? kTrue : kFalse;
}

Value::Value(int64_t i) : pad_(0) {
  int_ = i;
  tag_ = kInt;
}

Value::Value(double d) : pad_(0) {
  double_ = d;
  tag_ = kDouble;
}

Value::Value(std::string_view s) : pad_(0) {
  int_ = 0;
  if (s.size() <= sizeof bytes_) {
    if (!s.empty()) std::memcpy(bytes_, s.data(), s.size());  // a view of nothing has no data
    tag_ = static_cast<unsigned char>(s.size());
    return;
  }
  node_ = detail::allocate(Kind::string, s.size(), 1);
  std::memcpy(node_->text(), s.data(), s.size());
  tag_ = kText;
}

Value Value::object(std::initializer_list<std::pair<std::string_view, Value>> members) {
  std::vector<Member> list;
  list.reserve(members.size());
  for (const auto& [key, value] : members) list.push_back({Key(key), value});
  return object(std::move(list));
}

Value Value::object(std::vector<Member> members) {
  canonicalize(members);
  Value result;
  result.node_ = detail::allocate(Kind::object, members.size(), sizeof(Member));
  result.tag_ = kObject;
  std::uninitialized_move(members.begin(), members.end(), result.node_->members());
  return result;
}

Value Value::list(std::vector<Value> items) {
  Value result;
  result.node_ = detail::allocate(Kind::list, items.size(), sizeof(Value));
  result.tag_ = kList;
  std::uninitialized_move(items.begin(), items.end(), result.node_->values());
  return result;
}

const Value& Value::null() {
  static const Value kValue;
  return kValue;
}

const Value& Value::empty_object() {
  static const Value kValue = object(std::vector<Member>{});
  return kValue;
}

const Value& Value::empty_list() {
  static const Value kValue = list({});
  return kValue;
}

Value::Value(const Value& other) {
  std::memcpy(static_cast<void*>(this), &other, sizeof *this);
  if (counted()) detail::retain(node_);
}

Value::Value(Value&& other) noexcept {
  std::memcpy(static_cast<void*>(this), &other, sizeof *this);
  other.int_ = 0;
  other.pad_ = 0;
  other.tag_ = kNull;
}

Value::~Value() {
  if (counted()) detail::release(node_);
}

void Value::swap(Value& other) noexcept {
  char buffer[sizeof(Value)];
  std::memcpy(buffer, static_cast<void*>(this), sizeof buffer);
  std::memcpy(static_cast<void*>(this), &other, sizeof buffer);
  std::memcpy(static_cast<void*>(&other), buffer, sizeof buffer);
}

bool Value::counted() const { return tag_ >= kText; }
detail::Node* Value::node() const { return node_; }

Value::Kind Value::kind() const {
  switch (tag_) {
    case kNull: return Kind::null;
    case kFalse:
    case kTrue: return Kind::boolean;
    case kInt: return Kind::integer;
    case kDouble: return Kind::number;
    case kList: return Kind::list;
    case kObject: return Kind::object;
    default: return Kind::string;
  }
}

bool Value::as_bool(bool fallback) const {
  return tag_ == kTrue ? true : tag_ == kFalse ? false : fallback;
}

int64_t Value::as_int(int64_t fallback) const {
  if (tag_ == kInt) return int_;
  if (tag_ == kDouble && double_ >= -9.2e18 && double_ <= 9.2e18 &&
      double_ == static_cast<double>(static_cast<int64_t>(double_))) {
    return static_cast<int64_t>(double_);
  }
  return fallback;
}

double Value::as_double(double fallback) const {
  return tag_ == kDouble ? double_ : tag_ == kInt ? static_cast<double>(int_) : fallback;
}

std::string_view Value::as_string(std::string_view fallback) const {
  if (tag_ <= sizeof bytes_) return {reinterpret_cast<const char*>(bytes_), tag_};
  if (tag_ == kText) return {node_->text(), node_->size};
  return fallback;
}

size_t Value::size() const { return tag_ == kList || tag_ == kObject ? node_->size : 0; }

const Value& Value::at(size_t index) const {
  return tag_ == kList && index < node_->size ? node_->values()[index] : null();
}

std::span<const Value> Value::items() const {
  if (tag_ != kList) return {};
  return {node_->values(), node_->size};
}

std::span<const Member> Value::members() const {
  if (tag_ != kObject) return {};
  return {node_->members(), node_->size};
}

const Value* Value::find(std::string_view key) const {
  auto all = members();
  const Member* member = lower_bound(all, key);
  if (member == all.data() + all.size() || member->key.view() != key) return nullptr;
  return &member->value;
}

const Value& Value::operator[](std::string_view key) const {
  const Value* found = find(key);
  return found ? *found : null();
}

const Value& Value::path(std::initializer_list<std::string_view> keys) const {
  const Value* current = this;
  for (std::string_view key : keys) current = &(*current)[key];
  return *current;
}

Value Value::with(std::string_view key, Value value) const {
  auto all = members();
  const Member* place = lower_bound(all, key);
  bool replaces = place != all.data() + all.size() && place->key.view() == key;
  Value result;
  result.node_ = detail::allocate(Kind::object, all.size() + (replaces ? 0 : 1), sizeof(Member));
  result.tag_ = kObject;
  Member* out = result.node_->members();
  out = std::uninitialized_copy(all.data(), place, out);
  new (out++) Member{replaces ? place->key : Key(key), std::move(value)};
  std::uninitialized_copy(place + (replaces ? 1 : 0), all.data() + all.size(), out);
  return result;
}

Value Value::without(std::string_view key) const {
  const Value* found = find(key);
  if (!found) return *this;
  std::vector<Member> kept;
  kept.reserve(size() - 1);
  for (const Member& member : members()) {
    if (&member.value != found) kept.push_back(member);
  }
  return object(std::move(kept));
}

Value Value::with_path(std::span<const std::string_view> keys, std::optional<Value> value) const {
  ORCH_CHECK(!keys.empty());
  if (keys.size() == 1) return value ? with(keys[0], std::move(*value)) : without(keys[0]);
  const Value& child = (*this)[keys[0]];
  if (!value && !child.is_object()) return *this;
  return with(keys[0], child.with_path(keys.subspan(1), std::move(value)));
}

Value Value::appended(Value item) const {
  auto all = items();
  std::vector<Value> copy(all.begin(), all.end());
  copy.push_back(std::move(item));
  return list(std::move(copy));
}

Value Value::with_item(size_t index, Value item) const {
  auto all = items();
  ORCH_CHECK(index < all.size());
  std::vector<Value> copy(all.begin(), all.end());
  copy[index] = std::move(item);
  return list(std::move(copy));
}

bool Value::same(const Value& other) const {
  if (tag_ != other.tag_) return false;
  if (counted()) return node_ == other.node_;
  return std::memcmp(static_cast<const void*>(this), &other, sizeof *this) == 0;
}

bool Value::operator==(const Value& other) const { return compare(*this, other) == 0; }

int Value::compare(const Value& a, const Value& b) {
  if (a.same(b)) return 0;
  if (a.kind() != b.kind()) return a.kind() < b.kind() ? -1 : 1;
  auto order = [](const auto& x, const auto& y) { return x < y ? -1 : y < x ? 1 : 0; };
  switch (a.kind()) {
    case Kind::null: return 0;
    case Kind::boolean: return order(a.as_bool(), b.as_bool());
    case Kind::integer: return order(a.int_, b.int_);
    case Kind::number: return order(a.double_, b.double_);
    case Kind::string: return order(a.as_string(), b.as_string());
    case Kind::list:
      for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        if (int c = compare(a.at(i), b.at(i))) return c;
      }
      return order(a.size(), b.size());
    case Kind::object: {
      auto x = a.members(), y = b.members();
      for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
        if (!x[i].key.same(y[i].key)) {
          if (int c = order(x[i].key.view(), y[i].key.view())) return c;
        }
        if (int c = compare(x[i].value, y[i].value)) return c;
      }
      return order(x.size(), y.size());
    }
  }
  ORCH_UNREACHABLE();
}

size_t Value::heap_bytes() const {
  if (!counted()) return 0;
  size_t total = Node::kOffset;
  if (tag_ == kText) return total + node_->size;
  for (const Value& item : items()) total += sizeof(Value) + item.heap_bytes();
  for (const Member& member : members()) total += sizeof(Member) + member.value.heap_bytes();
  return total;
}

size_t Value::depth() const {
  if (tag_ != kList && tag_ != kObject) return 0;
  size_t deepest = 0;
  for (const Value& item : items()) deepest = std::max(deepest, item.depth());
  for (const Member& member : members()) deepest = std::max(deepest, member.value.depth());
  return deepest + 1;
}

// ---- ObjectBuilder

ObjectBuilder::ObjectBuilder(const Value& from) {
  auto all = from.members();
  members_.assign(all.begin(), all.end());
}

ObjectBuilder& ObjectBuilder::set(std::string_view key, Value value) {
  return set(Key(key), std::move(value));
}

ObjectBuilder& ObjectBuilder::set(Key key, Value value) {
  members_.push_back({std::move(key), std::move(value)});
  return *this;
}

ObjectBuilder& ObjectBuilder::set_if(std::string_view key, Value value) {
  bool is_empty = value.is_null() || (value.is_string() && value.as_string().empty()) ||
                  ((value.is_list() || value.is_object()) && value.empty());
  return is_empty ? *this : set(key, std::move(value));
}

ObjectBuilder& ObjectBuilder::remove(std::string_view key) {
  std::erase_if(members_, [&](const Member& member) { return member.key.view() == key; });
  return *this;
}

Value ObjectBuilder::build() && { return Value::object(std::move(members_)); }

}  // namespace orch
