#pragma once
// A check that aborts marks a bug of ours; nothing that arrives from outside may reach one.

namespace orch {

[[noreturn]] void check_failed(const char* expression, const char* file, int line);

}  // namespace orch

#define ORCH_CHECK(expression)                                             \
  do {                                                                     \
    if (!(expression)) [[unlikely]]                                        \
      ::orch::check_failed(#expression, __FILE__, __LINE__);               \
  } while (false)
#define ORCH_UNREACHABLE() ::orch::check_failed("unreachable", __FILE__, __LINE__)
