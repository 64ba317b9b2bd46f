// The form of a CronJob's schedule: minute, hour, day of month, month, day of week, as the parser
// Kubernetes uses takes them (github.com/robfig/cron, "standard").

#include <array>

#include "base/text.h"
#include "base/time.h"
#include "schema/formats.h"

namespace orch::schema {

namespace {

struct CronField {
  int64_t min, max;
  std::array<std::string_view, 12> names;  // from min on
};
constexpr std::array<CronField, 5> kFields{{
    {0, 59, {}},
    {0, 23, {}},
    {1, 31, {}},
    {1, 12, {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
    {0, 6, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}};

Result<int64_t> parse_part(std::string_view text, const CronField& field) {
  std::string lower = to_lower(text);
  for (size_t i = 0; i < field.names.size(); ++i) {
    if (!field.names[i].empty() && field.names[i] == lower) return field.min + static_cast<int64_t>(i);
  }
  auto number = parse_int(text);
  if (!number) {
    return Error::make(Code::invalid, "failed to parse int from " + std::string(text) +
                                          ": strconv.Atoi: parsing " + quote(text) + ": invalid syntax");
  }
  if (*number < 0) {
    return Error::make(Code::invalid,
                       "negative number (" + std::to_string(*number) + ") not allowed: " + std::string(text));
  }
  return *number;
}

// "*", "?", "3", "1-5", each perhaps with "/step".
Result<void> check_range(std::string_view text, const CronField& field) {
  std::string whole(text);
  auto bad = [&](const std::string& message) { return Error::make(Code::invalid, message + ": " + whole); };
  auto stepped = split(text, '/');
  if (stepped.size() > 2) return bad("too many slashes");
  auto ends = split(stepped[0], '-');
  int64_t start = field.min, end = field.max;
  bool single = false;
  if (ends[0] != "*" && ends[0] != "?") {
    if (ends.size() > 2) return bad("too many hyphens");
    TRY(start, parse_part(ends[0], field));
    single = ends.size() == 1;
    end = start;
    if (!single) {
      TRY(end, parse_part(ends[1], field));
    }
  }
  int64_t step = 1;
  if (stepped.size() == 2) {
    TRY(step, parse_part(stepped[1], field));
    if (single) end = field.max;
  }
  auto number = [](int64_t value) { return " (" + std::to_string(value) + ") "; };
  if (start < field.min) return bad("beginning of range" + number(start) + "below minimum (" + std::to_string(field.min) + ")");
  if (end > field.max) return bad("end of range" + number(end) + "above maximum (" + std::to_string(field.max) + ")");
  if (start > end) return bad("beginning of range" + number(start) + "beyond end of range (" + std::to_string(end) + ")");
  if (step == 0) return bad("step of range should be a positive number");
  return {};
}

Result<void> check_schedule(std::string_view text) {
  if (text.starts_with("TZ=") || text.starts_with("CRON_TZ=")) {
    auto parts = split_once(text, ' ');
    if (!parts) return Error::make(Code::invalid, "provided bad location");
    text = trim(parts->second);
  }
  if (text.starts_with('@')) {
    static constexpr std::array<std::string_view, 7> kNames{"@yearly", "@annually", "@monthly", "@weekly",
                                                            "@daily",  "@midnight", "@hourly"};
    for (std::string_view name : kNames) {
      if (text == name) return {};
    }
    if (text.starts_with("@every ")) {
      auto duration = parse_duration(text.substr(7));
      if (duration.ok()) return {};
      return Error::make(Code::invalid, "failed to parse duration " + std::string(text) + ": " +
                                            duration.error().message());
    }
    return Error::make(Code::invalid, "unrecognized descriptor: " + std::string(text));
  }
  std::vector<std::string> fields;
  for (std::string_view word : split(text, ' ')) {
    if (!trim(word).empty()) fields.emplace_back(trim(word));
  }
  if (fields.size() != kFields.size()) {
    return Error::make(Code::invalid, "expected exactly 5 fields, found " +
                                          std::to_string(fields.size()) + ": [" + join(fields, " ") + "]");
  }
  for (size_t i = 0; i < fields.size(); ++i) {
    for (std::string_view range : split(fields[i], ',')) TRY_VOID(check_range(range, kFields[i]));
  }
  return {};
}

}  // namespace

Problems cron_problems(std::string_view text) {
  if (text.empty()) return {"empty spec string"};
  auto checked = check_schedule(text);
  if (checked.ok()) return {};
  return {checked.error().message()};
}

}  // namespace orch::schema
