#pragma once
// state.terminated.message: what a container left in its termination log, or the end of its output. Pure.

#include <string>
#include <string_view>

namespace orch::plan::pod {

inline constexpr size_t most_message_bytes = 4096;    // of a termination log
inline constexpr size_t most_fallback_bytes = 2048;   // of output, and at most 80 lines
inline constexpr size_t most_fallback_lines = 80;

// The end of a log in CRI format ("<time> stdout F text"), without its time stamps; partial lines are joined.
std::string end_of_log(std::string_view log);

}  // namespace orch::plan::pod
