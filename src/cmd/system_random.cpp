#include "cmd/system_random.h"

#include <sys/random.h>

#include "base/check.h"

namespace orch::cmd {

uint64_t SystemRandom::next() {
  if (left_ == 0) {
    ssize_t n = getrandom(block_.data(), sizeof block_, 0);
    ORCH_CHECK(n == static_cast<ssize_t>(sizeof block_));  // up to 256 bytes come whole: getrandom(2)
    left_ = block_.size();
  }
  return block_[--left_];
}

}  // namespace orch::cmd
