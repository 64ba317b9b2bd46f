#pragma once
// Reading steps where there is no heap and no exception: in the shim. StepView borrows from the bytes.
//
// The encoding, in the byte order of the machine (both sides are the same binary): a step is
//   u16 op, u8 tolerated, u8 numbers, u32 texts, then the numbers (u64 each), then each text as u32 length, its
// bytes and a NUL, so that it is a C string in place.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "steps/op.h"

namespace orch::steps {

struct StepHead {
  uint16_t op = 0;
  uint8_t tolerated = 0;
  uint8_t numbers = 0;
  uint32_t texts = 0;
};
static_assert(sizeof(StepHead) == 8);

class StepView {
 public:
  Op op() const { return static_cast<Op>(head_.op); }
  bool tolerated() const { return head_.tolerated != 0; }
  size_t numbers() const { return head_.numbers; }
  size_t texts() const { return head_.texts; }
  // Out of range: 0 and "".
  uint64_t number(size_t index) const {
    if (index >= head_.numbers) return 0;
    uint64_t value;
    std::memcpy(&value, numbers_ + index * sizeof value, sizeof value);
    return value;
  }
  std::string_view text(size_t index) const {
    if (index >= head_.texts) return {"", 0};
    const char* at = texts_;
    for (size_t i = 0; i < index; ++i) at += 4 + length_at(at) + 1;
    return {at + 4, length_at(at)};
  }
  // NUL-terminated.
  const char* c_str(size_t index) const { return text(index).data(); }

  // Calls visit(text) for each text from `first` on, walking once.
  template <class F>
  void each_text(size_t first, F visit) const {
    const char* at = texts_;
    for (size_t i = 0; i < head_.texts; ++i) {
      if (i >= first) visit(std::string_view(at + 4, length_at(at)));
      at += 4 + length_at(at) + 1;
    }
  }

 private:
  friend class StepReader;
  static uint32_t length_at(const char* at) {
    uint32_t length;
    std::memcpy(&length, at, sizeof length);
    return length;
  }
  StepHead head_;
  const char* numbers_ = nullptr;
  const char* texts_ = nullptr;
};

class StepReader {
 public:
  explicit StepReader(std::string_view bytes) : rest_(bytes) {}
  bool at_end() const { return rest_.empty(); }
  // False where the bytes are no step; nothing is read then.
  bool next(StepView& step) {
    StepHead head;
    if (rest_.size() < sizeof head) return false;
    std::memcpy(&head, rest_.data(), sizeof head);
    if (head.op >= static_cast<uint16_t>(Op::count_)) return false;
    size_t used = sizeof head + head.numbers * sizeof(uint64_t);
    if (rest_.size() < used) return false;
    step.head_ = head;
    step.numbers_ = rest_.data() + sizeof head;
    step.texts_ = rest_.data() + used;
    for (uint32_t i = 0; i < head.texts; ++i) {
      if (rest_.size() - used < 5) return false;
      const size_t length = StepView::length_at(rest_.data() + used);
      if (rest_.size() - used - 5 < length || rest_[used + 4 + length] != '\0') return false;
      used += 4 + length + 1;
    }
    rest_.remove_prefix(used);
    return true;
  }

 private:
  std::string_view rest_;
};

}  // namespace orch::steps
