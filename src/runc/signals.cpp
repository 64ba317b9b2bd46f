#include "runc/signals.h"

#include <csignal>
#include <cstring>
#include <string>

#include "base/text.h"

namespace orch::runc {

std::optional<int> parse_signal(std::string_view text) {
  if (auto number = parse_int(text)) {
    if (*number >= 1 && *number < NSIG) return static_cast<int>(*number);
    return std::nullopt;
  }
  std::string name = to_upper(text);
  if (name.starts_with("SIG")) name = name.substr(3);
  for (int number = 1; number < 32; ++number) {
    const char* known = ::sigabbrev_np(number);
    if (known != nullptr && name == known) return number;
  }
  const bool from_end = name.starts_with("RTMAX");
  if (!from_end && !name.starts_with("RTMIN")) return std::nullopt;
  const int base = from_end ? SIGRTMAX : SIGRTMIN;
  if (name.size() == 5) return base;
  const auto offset = parse_int(std::string_view(name).substr(name[5] == '+' ? 6 : 5));
  if (!offset || base + *offset < SIGRTMIN || base + *offset > SIGRTMAX) return std::nullopt;
  return base + static_cast<int>(*offset);
}

}  // namespace orch::runc
