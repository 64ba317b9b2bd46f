#include "agent/image_name.h"

#include <algorithm>
#include <csignal>
#include <string>

#include "base/text.h"

namespace orch::agent {

namespace {

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_word(char c) { return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '_'; }

// Runs of lower case letters and digits, separated by ".", "_", "__" or dashes.
bool is_path_component(std::string_view text) {
  if (text.empty() || !is_lower_or_digit(text.front()) || !is_lower_or_digit(text.back())) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (is_lower_or_digit(text[i])) continue;
    size_t end = i;
    while (end < text.size() && !is_lower_or_digit(text[end])) ++end;
    std::string_view separator = text.substr(i, end - i);
    bool dashes = separator.find_first_not_of('-') == std::string_view::npos;
    if (!dashes && separator != "." && separator != "_" && separator != "__") return false;
    i = end;
  }
  return true;
}

bool is_tag(std::string_view text) {
  return !text.empty() && text.size() <= 128 && is_word(text.front()) &&
         std::ranges::all_of(text, [](char c) { return is_word(c) || c == '.' || c == '-'; });
}

bool is_digest(std::string_view text) {
  auto parts = split_once(text, ':');
  return parts && !parts->first.empty() && parts->second.size() >= 32 &&
         parts->second.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

bool is_domain(std::string_view text) {
  auto parts = split_once(text, ':');
  std::string_view host = parts ? parts->first : text;
  if (parts && (parts->second.empty() || parts->second.find_first_not_of("0123456789") != std::string_view::npos)) return false;
  return !host.empty() && std::ranges::all_of(host, [](char c) { return is_word(c) || c == '.' || c == '-' || c == '[' || c == ']'; });
}

}  // namespace

bool is_valid_image_name(std::string_view reference) {
  if (reference.size() > 512) return false;
  if (auto digest = split_once(reference, '@')) {
    if (!is_digest(digest->second)) return false;
    reference = digest->first;
  }
  size_t slash = reference.rfind('/');
  size_t colon = reference.rfind(':');
  if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
    if (!is_tag(reference.substr(colon + 1))) return false;
    reference = reference.substr(0, colon);
  }
  std::vector<std::string_view> parts = split(reference, '/');
  size_t first = 0;
  if (parts.size() > 1 && (parts[0].find_first_of(".:") != std::string_view::npos || parts[0] == "localhost")) {
    if (!is_domain(parts[0])) return false;
    first = 1;
  }
  return std::all_of(parts.begin() + static_cast<ptrdiff_t>(first), parts.end(), is_path_component);
}

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
