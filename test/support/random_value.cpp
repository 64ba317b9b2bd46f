#include "support/random_value.h"

#include <array>
#include <cmath>
#include <string_view>

#include "base/utf8.h"

namespace orch::test {

namespace {

// What parsers and printers get wrong, as whole texts or as parts of one.
constexpr auto kPieces = std::to_array<std::string_view>({
    "",      "a",     "key",   "value", "name",  "spec",   "x y",   " ",     "  ",     "\n",
    "\n\n",  "\t",    "\r",    "\r\n",  ": ",    ":",      " #",    "#",     "- ",     "-",
    "---",   "...",   "?",     "? ",    "!",     "&",      "*",     "@",     "`",      "%",
    "|",     ">",     "'",     "''",    "\"",    "\\",     "{",     "}",     "[",      "]",
    ",",     "=",     "<<",    "~",     "null",  "true",   "False", "yes",   "No",     "on",
    "y",     "n",     "0",     "007",   "0o17",  "0x1F",   "1_000", "12:30", "1.5",    "1e3",
    "-.inf", ".nan",  "+1",    "2001-01-01",     "2001-01-01T00:00:00Z",     "0b11",   "1.",
    "\x01",  "\x7F",  "\u0085", "\u00a0", "\u2028", "\ufeff", "\ufffd", "ä世", "😀",   "/~0~1",
    "$(VAR)", "&<>"});

size_t below(Random& random, size_t bound) { return static_cast<size_t>(random.below(bound)); }

double random_double(Random& random) {
  switch (random.below(4)) {
    case 0: return static_cast<double>(static_cast<int64_t>(random.below(2000)) - 1000) + 0.5;
    case 1: return std::ldexp(1.0, -static_cast<int>(random.below(300)) - 1);
    case 2: return 1e22 * (1.0 + static_cast<double>(random.below(1000)));
    default: return -static_cast<double>(random.below(1U << 30)) / 1024 - 1.0 / 4096;
  }
}

int64_t random_int(Random& random) {
  switch (random.below(4)) {
    case 0: return static_cast<int64_t>(random.next());
    case 1: return random.below(2) ? INT64_MAX : INT64_MIN;
    default: return static_cast<int64_t>(random.below(2000)) - 1000;
  }
}

Value random_scalar(Random& random, const ValueShape& shape) {
  switch (random.below(6)) {
    case 0: return shape.nulls ? Value() : Value(1);
    case 1: return Value(random.below(2) == 1);
    case 2: return Value(random_int(random));
    case 3: return shape.doubles ? Value(random_double(random)) : Value(0);
    default: return Value(random_text(random));
  }
}

}  // namespace

std::string random_text(Random& random) {
  std::string text;
  for (size_t n = below(random, 5); n > 0; --n) text += kPieces[below(random, kPieces.size())];
  if (random.below(8) == 0) {
    // Code points of every length; no surrogates.
    char32_t c = static_cast<char32_t>(random.below(0x110000));
    append_utf8(text, c >= 0xD800 && c <= 0xDFFF ? U'ß' : c);
  }
  // Long enough to be folded at column 80.
  if (random.below(12) == 0) {
    for (size_t n = 10 + below(random, 20); n > 0; --n) {
      text += random.suffix(static_cast<int>(random.below(9)) + 1) + " ";
    }
    if (random.below(2)) text += "end";
  }
  return text;
}

std::string random_bytes(Random& random, size_t most) {
  std::string bytes;
  for (size_t n = below(random, most + 1); n > 0; --n) {
    bytes += static_cast<char>(random.next() >> 32 & 0xFF);
  }
  return bytes;
}

Value random_object(Random& random, const ValueShape& shape) {
  ValueShape inner = shape;
  --inner.depth;
  ObjectBuilder object;
  for (size_t n = below(random, static_cast<size_t>(shape.width) + 1); n > 0; --n) {
    object.set(random_text(random), random_value(random, inner));
  }
  return std::move(object).build();
}

Value random_value(Random& random, const ValueShape& shape) {
  uint64_t choice = shape.depth > 0 ? random.below(4) : 3;
  if (choice == 0) return random_object(random, shape);
  if (choice != 1) return random_scalar(random, shape);
  ValueShape inner = shape;
  --inner.depth;
  std::vector<Value> items;
  for (size_t n = below(random, static_cast<size_t>(shape.width) + 1); n > 0; --n) {
    items.push_back(random_value(random, inner));
  }
  return Value::list(std::move(items));
}

Value random_change(Random& random, const Value& value, const ValueShape& shape) {
  Value changed = value;
  for (uint64_t n = random.below(3) + 1; n > 0; --n) {
    bool down = random.below(3) != 0;
    if (changed.is_object() && !changed.empty() && down) {
      const Member& member = changed.members()[below(random, changed.size())];
      std::string key(member.name());
      changed = random.below(4) == 0 ? changed.without(key)
                                     : changed.with(key, random_change(random, member.value, shape));
    } else if (changed.is_object()) {
      changed = changed.with(random_text(random), random_value(random, shape));
    } else if (changed.is_list() && !changed.empty() && down) {
      size_t at = below(random, changed.size());
      changed = changed.with_item(at, random_change(random, changed.at(at), shape));
    } else if (changed.is_list()) {
      changed = changed.appended(random_value(random, shape));
    } else {
      changed = random_value(random, shape);
    }
  }
  return changed;
}

}  // namespace orch::test
