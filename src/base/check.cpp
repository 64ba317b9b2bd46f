#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace orch {

void check_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "orch: bug: %s:%d: check failed: %s\n", file, line, expression);
  std::abort();
}

}  // namespace orch
