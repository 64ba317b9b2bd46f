#pragma once
// Lines of container logs as they are kept (CRI: "<RFC 3339 time> stdout|stderr F|P <text>") and as they are
// shown. Pure.

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "wire/http.h"

namespace orch::agent {

struct LogOptions {
  bool follow = false;
  bool previous = false;
  bool timestamps = false;
  std::optional<Instant> since;
  std::optional<int64_t> tail_lines;
  std::optional<int64_t> limit_bytes;
};
// From the query of /containerLogs (which the API has checked). `now`: for sinceSeconds.
Result<LogOptions> parse_log_options(const wire::Query& query, Instant now);

// One line without its newline.
struct LogLine {
  std::string_view time;
  bool is_error = false;
  bool partial = false;  // the next line of the same stream goes on
  std::string_view text;
};
std::optional<LogLine> parse_log_line(std::string_view line);

// Kept lines in, shown text out.
class LogFormatter {
 public:
  explicit LogFormatter(const LogOptions& options) : options_(options), left_(options.limit_bytes) {}
  // `lines`: whole ones. What is no log line is left out.
  std::string format(std::string_view lines);
  bool full() const { return left_ && *left_ <= 0; }  // limit_bytes are reached

 private:
  LogOptions options_;
  std::optional<int64_t> left_;
  bool at_line_start_ = true;
};

}  // namespace orch::agent
