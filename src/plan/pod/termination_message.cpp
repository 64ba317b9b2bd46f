#include "plan/pod/termination_message.h"

#include <vector>

#include "base/text.h"

namespace orch::plan::pod {

std::string end_of_log(std::string_view log) {
  std::vector<std::string> lines;
  std::string line;
  for (std::string_view entry : split(log, '\n')) {
    auto time = split_once(entry, ' ');
    auto stream = time ? split_once(time->second, ' ') : std::nullopt;
    auto tag = stream ? split_once(stream->second, ' ') : std::nullopt;
    if (!tag) continue;  // cut at the beginning, or not ours
    line += tag->second;
    if (tag->first == "P") continue;
    lines.push_back(std::move(line));
    line.clear();
  }
  if (!line.empty()) lines.push_back(std::move(line));
  if (lines.size() > most_fallback_lines) lines.erase(lines.begin(), lines.end() - most_fallback_lines);
  std::string text;
  for (const std::string& each : lines) text += each + "\n";
  if (text.size() > most_fallback_bytes) text.erase(0, text.size() - most_fallback_bytes);
  return to_valid_utf8(text);
}

}  // namespace orch::plan::pod
