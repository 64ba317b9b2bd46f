#include "agent/log_lines.h"

#include "base/text.h"

namespace orch::agent {

namespace {

// Time with all nine decimals, as kubelet shows it: lines stay aligned.
std::string full_time(std::string_view text) {
  if (!text.ends_with('Z')) return std::string(text);
  text.remove_suffix(1);
  auto dot = text.find('.');
  std::string time(text);
  if (dot == std::string_view::npos) {
    time += '.';
    dot = time.size() - 1;
  }
  while (time.size() < dot + 10) time += '0';
  return time + "Z";
}

}  // namespace

Result<LogOptions> parse_log_options(const wire::Query& query, Instant now) {
  LogOptions options;
  TRY(options.follow, query.flag("follow"));
  TRY(options.previous, query.flag("previous"));
  TRY(options.timestamps, query.flag("timestamps"));
  options.tail_lines = parse_int(query.get("tailLines"));
  options.limit_bytes = parse_int(query.get("limitBytes"));
  if (auto seconds = parse_int(query.get("sinceSeconds"))) options.since = now - std::chrono::seconds(*seconds);
  if (auto time = query.get("sinceTime"); !time.empty()) {
    TRY(Instant since, parse_time(time));
    options.since = since;
  }
  return options;
}

std::optional<LogLine> parse_log_line(std::string_view line) {
  LogLine parsed;
  auto word = [&line]() -> std::optional<std::string_view> {
    auto end = line.find(' ');
    if (end == std::string_view::npos) return std::nullopt;
    auto text = line.substr(0, end);
    line.remove_prefix(end + 1);
    return text;
  };
  auto time = word();
  auto stream = word();
  if (!time || !stream || (*stream != "stdout" && *stream != "stderr")) return std::nullopt;
  // Tags are separated by ':'; the first says whether the line is whole. An empty line may lack the blank.
  auto tags = line.empty() ? std::nullopt : word();
  if (!tags) {
    if (line != "F" && line != "P") return std::nullopt;
    tags = std::exchange(line, {});
  }
  auto first = split(*tags, ':')[0];
  if (first != "F" && first != "P") return std::nullopt;
  parsed.time = *time;
  parsed.is_error = *stream == "stderr";
  parsed.partial = first == "P";
  parsed.text = line;
  return parsed;
}

std::string LogFormatter::format(std::string_view lines) {
  std::string out;
  while (!lines.empty() && !full()) {
    auto end = lines.find('\n');
    auto line = parse_log_line(lines.substr(0, end));
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    if (!line) continue;
    if (options_.since) {
      auto time = parse_time(line->time);
      if (time.ok() && *time < *options_.since) continue;
    }
    std::string text;
    if (options_.timestamps && at_line_start_) text = full_time(line->time) + " ";
    text += line->text;
    if (!line->partial) text += '\n';
    at_line_start_ = !line->partial;
    if (left_) {
      if (static_cast<int64_t>(text.size()) > *left_) text.resize(static_cast<size_t>(*left_));
      *left_ -= static_cast<int64_t>(text.size());
    }
    out += text;
  }
  return out;
}

}  // namespace orch::agent
