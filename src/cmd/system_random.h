#pragma once
// Random numbers from the kernel (getrandom(2)), a block at a time.

#include <array>
#include <cstddef>

#include "base/random.h"

namespace orch::cmd {

class SystemRandom final : public Random {
 public:
  uint64_t next() override;

 private:
  std::array<uint64_t, 32> block_{};
  size_t left_ = 0;
};

}  // namespace orch::cmd
