#include "base/random.h"

#include <cstdio>

namespace orch {

namespace {

// No vowels (no words come out), none of 0, 1, 3 (they look like letters).
constexpr std::string_view kSafe = "bcdfghjklmnpqrstvwxz2456789";

}  // namespace

std::string Random::uuid() {
  uint64_t high = next();
  uint64_t low = next();
  high = (high & ~uint64_t{0xF000}) | 0x4000;                       // version 4
  low = (low & 0x3FFF'FFFF'FFFF'FFFF) | 0x8000'0000'0000'0000;      // RFC 4122's variant
  char text[37];
  std::snprintf(text, sizeof text, "%08x-%04x-%04x-%04x-%012llx",
                static_cast<unsigned>(high >> 32), static_cast<unsigned>((high >> 16) & 0xFFFF),
                static_cast<unsigned>(high & 0xFFFF), static_cast<unsigned>(low >> 48),
                static_cast<unsigned long long>(low & 0xFFFF'FFFF'FFFF));
  return std::string(text, 36);
}

std::string Random::suffix(int n) {
  std::string text;
  for (int i = 0; i < n; ++i) text += kSafe[below(kSafe.size())];
  return text;
}

uint64_t SeededRandom::next() {
  state_ ^= state_ >> 12;
  state_ ^= state_ << 25;
  state_ ^= state_ >> 27;
  return state_ * 0x2545'F491'4F6C'DD1DULL;
}

std::string safe_encode(std::string_view text) {
  std::string encoded;
  encoded.reserve(text.size());
  for (unsigned char c : text) encoded += kSafe[c % kSafe.size()];
  return encoded;
}

}  // namespace orch
