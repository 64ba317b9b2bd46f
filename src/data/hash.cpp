#include "data/hash.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/text.h"

namespace orch {

namespace {

// FIPS 180-4, section 4.2.2.
constexpr std::array<uint32_t, 64> kRound{
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

using Sha256State = std::array<uint32_t, 8>;

uint32_t big_endian(const unsigned char* at) {
  return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | at[3];
}

void compress(Sha256State& state, const unsigned char* block) {
  std::array<uint32_t, 64> w;
  for (size_t i = 0; i < 16; ++i) w[i] = big_endian(block + 4 * i);
  for (size_t i = 16; i < 64; ++i) {
    uint32_t a = w[i - 15], b = w[i - 2];
    uint32_t s0 = std::rotr(a, 7) ^ std::rotr(a, 18) ^ a >> 3;
    uint32_t s1 = std::rotr(b, 17) ^ std::rotr(b, 19) ^ b >> 10;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (size_t i = 0; i < 64; ++i) {
    uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + kRound[i] + w[i];
    uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  const Sha256State mixed{a, b, c, d, e, f, g, h};
  for (size_t i = 0; i < 8; ++i) state[i] += mixed[i];
}

struct Fnv64 {
  uint64_t state = 0xcbf29ce484222325;
  void byte(unsigned char b) { state = (state ^ b) * 0x100000001b3; }
  void text(std::string_view s) {
    for (unsigned char c : s) byte(c);
  }
  void number(uint64_t n) {
    for (int shift = 0; shift < 64; shift += 8) byte(static_cast<unsigned char>(n >> shift));
  }
};

// Kind, then length, then content: no two different values feed the same bytes.
void feed(Fnv64& hash, const Value& value) {
  hash.byte(static_cast<unsigned char>(value.kind()));
  switch (value.kind()) {
    case Value::Kind::null: return;
    case Value::Kind::boolean: hash.byte(value.as_bool()); return;
    case Value::Kind::integer: hash.number(static_cast<uint64_t>(value.as_int())); return;
    case Value::Kind::number:
      // -0.0 equals 0.0
      hash.number(std::bit_cast<uint64_t>(value.as_double() == 0 ? 0.0 : value.as_double()));
      return;
    case Value::Kind::string:
      hash.number(value.as_string().size());
      hash.text(value.as_string());
      return;
    case Value::Kind::list:
      hash.number(value.size());
      for (const Value& item : value.items()) feed(hash, item);
      return;
    case Value::Kind::object:
      hash.number(value.size());
      for (const Member& member : value.members()) {
        hash.number(member.name().size());
        hash.text(member.name());
        feed(hash, member.value);
      }
      return;
  }
}

}  // namespace

uint32_t fnv1a_32(std::string_view bytes) {
  uint32_t state = 0x811c9dc5;
  for (unsigned char c : bytes) state = (state ^ c) * 0x01000193;
  return state;
}

uint64_t fnv1a_64(std::string_view bytes) {
  Fnv64 hash;
  hash.text(bytes);
  return hash.state;
}

uint64_t hash_value(const Value& value) {
  Fnv64 hash;
  feed(hash, value);
  return hash.state;
}

std::string sha256_hex(std::string_view bytes) {
  Sha256State state{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  uint64_t bits = uint64_t{bytes.size()} * 8;
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  size_t left = bytes.size();
  for (; left >= 64; left -= 64, data += 64) compress(state, data);
  // The rest, a one bit, zeros, and the length in bits: one block or two.
  std::array<unsigned char, 128> tail{};
  if (left > 0) std::memcpy(tail.data(), data, left);
  tail[left] = 0x80;
  size_t size = left < 56 ? 64 : 128;
  for (size_t i = 0; i < 8; ++i) tail[size - 1 - i] = static_cast<unsigned char>(bits >> (8 * i));
  for (size_t at = 0; at < size; at += 64) compress(state, tail.data() + at);
  std::string digest;
  for (uint32_t word : state) {
    for (int shift = 24; shift >= 0; shift -= 8) digest += static_cast<char>(word >> shift & 0xFF);
  }
  return encode_hex(digest);
}

}  // namespace orch
