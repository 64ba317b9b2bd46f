#pragma once
// Randomness as an input: the pure floors get a Random& where Kubernetes uses random names.

#include <cstdint>
#include <string>
#include <string_view>

namespace orch {

class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t next() = 0;
  uint64_t below(uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
  // RFC 4122 version 4.
  std::string uuid();
  // n characters of Kubernetes' safe alphabet (no vowels, no look-alikes): util/rand.
  std::string suffix(int n);
};

// xorshift64*, for tests and for names; not for secrets.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed ? seed : 0x9E3779B97F4A7C15ULL) {}
  uint64_t next() override;

 private:
  uint64_t state_;
};

// Kubernetes' rand.SafeEncodeString: maps each character into the safe alphabet.
std::string safe_encode(std::string_view text);

}  // namespace orch
