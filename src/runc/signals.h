#pragma once
// Signals by name: "TERM", "SIGTERM", "15", "RTMIN+3".

#include <optional>
#include <string_view>

namespace orch::runc {

std::optional<int> parse_signal(std::string_view text);

}  // namespace orch::runc
