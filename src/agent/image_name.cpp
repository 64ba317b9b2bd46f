#include "agent/image_name.h"

#include <csignal>
#include <utility>

#include "base/text.h"
#include "data/image_reference.h"

namespace orch::agent {

bool is_valid_image_name(std::string_view reference) { return parse_image_reference(reference).ok(); }

int stop_signal_of(const Value& image_config) {
  static constexpr std::pair<std::string_view, int> names[] = {
      {"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT}, {"KILL", SIGKILL},   {"USR1", SIGUSR1},
      {"USR2", SIGUSR2}, {"ALRM", SIGALRM}, {"TERM", SIGTERM}, {"WINCH", SIGWINCH}, {"ABRT", SIGABRT}};
  std::string_view text = image_config["config"]["StopSignal"].as_string();
  if (auto number = parse_int(text)) return *number > 0 && *number < 65 ? static_cast<int>(*number) : SIGTERM;
  if (text.starts_with("SIG")) text.remove_prefix(3);
  for (const auto& [name, number] : names)
    if (text == name) return number;
  if (text.starts_with("RTMIN")) {
    auto offset = text.size() > 6 ? parse_int(text.substr(6)) : std::optional<int64_t>(0);
    if (offset && *offset >= 0 && SIGRTMIN + *offset <= SIGRTMAX) return SIGRTMIN + static_cast<int>(*offset);
  }
  return SIGTERM;
}

}  // namespace orch::agent
