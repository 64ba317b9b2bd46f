#include "cli/pull_progress.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace orch::cli {

namespace {

constexpr size_t kBar = 30;

std::string short_digest(std::string_view digest) {
  if (digest.starts_with("sha256:")) digest.remove_prefix(7);
  return std::string(digest.substr(0, 12));
}

bool has_ended(std::string_view status) { return status == "done" || status == "exists"; }

std::string line_of(const std::string& layer, const Value& event) {
  std::string_view status = event["status"].as_string();
  std::string line = short_digest(layer) + ": ";
  if (status == "exists") return line + "already there";
  if (status != "downloading") return line + std::string(status);
  int64_t total = std::max<int64_t>(event["total"].as_int(), 1);
  int64_t current = std::min(event["current"].as_int(), total);
  auto full = static_cast<size_t>(static_cast<double>(current) / static_cast<double>(total) * kBar);
  return line + "[" + std::string(full, '=') + std::string(kBar - full, ' ') + "] " + human_size(current) + "/" + human_size(total);
}

}  // namespace

std::string human_size(int64_t bytes) {
  static constexpr std::array<const char*, 6> kUnits = {"B", "kB", "MB", "GB", "TB", "PB"};
  auto size = static_cast<double>(bytes);
  size_t unit = 0;
  while (size >= 1000.0 && unit + 1 < kUnits.size()) {
    size /= 1000.0;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.4g%s", size, kUnits[unit]);  // docker's four digits, three for the eye
  return text;
}

std::string PullProgress::draw() {
  // ECMA-48: up so many lines; each line is cleared to its end.
  std::string text = drawn_ == 0 ? "" : "\x1b[" + std::to_string(drawn_) + "A";
  for (const std::string& layer : order_) text += "\r" + line_of(layer, layers_[layer]) + "\x1b[K\n";
  drawn_ = order_.size();
  return text;
}

std::string PullProgress::show(const Value& event) {
  std::string layer(event["layer"].as_string());
  if (layer.empty()) return {};
  auto known = layers_.find(layer);
  bool ended_before = known != layers_.end() && has_ended(known->second["status"].as_string());
  if (known == layers_.end()) order_.push_back(layer);
  layers_[layer] = event;
  if (terminal_) return draw();
  std::string_view status = event["status"].as_string();
  bool worth_a_line = (has_ended(status) && !ended_before) || status == "retrying";
  return worth_a_line ? line_of(layer, event) + "\n" : "";
}

}  // namespace orch::cli
