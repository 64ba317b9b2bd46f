#include "base/log.h"

#include <array>

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "base/text.h"

namespace orch {

namespace {

constexpr std::array<spdlog::level::level_enum, 6> kSpdlogLevels{
    spdlog::level::trace, spdlog::level::debug, spdlog::level::info,
    spdlog::level::warn,  spdlog::level::err,   spdlog::level::off};

// A value that could be mistaken for the next field, or would break the line, is quoted.
bool needs_quotes(std::string_view value) {
  if (value.empty()) return true;
  for (unsigned char c : value) {
    if (c <= ' ' || c == '"' || c == '=' || c == 0x7F) return true;
  }
  return false;
}

// One line whatever the message holds: it may quote what a client sent.
void append_one_line(std::string& line, std::string_view message) {
  for (char c : message) {
    if (c == '\n') {
      line += "\\n";
    } else if (c == '\r') {
      line += "\\r";
    } else {
      line += c;
    }
  }
}

}  // namespace

Logger::Logger(Sink sink, LogLevel level)
    : shared_(std::make_shared<const Shared>(Shared{std::move(sink), level})) {}

Logger::Logger(std::shared_ptr<const Shared> shared, std::string name)
    : shared_(std::move(shared)), name_(std::move(name)) {}

Logger Logger::to_stderr(LogLevel level) {
  auto log = std::make_shared<spdlog::logger>(
      "orch", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  log->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  log->set_level(spdlog::level::trace);  // the Logger has filtered already
  log->flush_on(spdlog::level::trace);
  Sink sink = [log](LogLevel at, std::string_view line) {
    log->log(kSpdlogLevels[static_cast<size_t>(at)], spdlog::string_view_t(line.data(), line.size()));
  };
  return Logger(std::move(sink), level);
}

Logger Logger::discard() {
  return Logger([](LogLevel, std::string_view) {}, LogLevel::off);
}

Logger Logger::named(std::string_view room) const { return Logger(shared_, std::string(room)); }

void Logger::write(LogLevel level, std::string_view message, Fields fields) const {
  if (!enabled(level)) return;
  std::string line;
  if (!name_.empty()) line += "[" + name_ + "] ";
  append_one_line(line, message);
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    line += needs_quotes(field.value) ? quote(field.value) : field.value;
  }
  shared_->sink(level, line);
}

LogLevel parse_log_level(std::string_view text, LogLevel fallback) {
  struct Name {
    std::string_view name;
    LogLevel level;
  };
  // The numbers are klog's verbosity: 4 is debug, 5 and more trace.
  static constexpr std::array<Name, 13> kNames{{{"trace", LogLevel::trace},
                                                {"debug", LogLevel::debug},
                                                {"info", LogLevel::info},
                                                {"warn", LogLevel::warn},
                                                {"warning", LogLevel::warn},
                                                {"error", LogLevel::error},
                                                {"off", LogLevel::off},
                                                {"0", LogLevel::info},
                                                {"1", LogLevel::info},
                                                {"2", LogLevel::info},
                                                {"3", LogLevel::info},
                                                {"4", LogLevel::debug},
                                                {"5", LogLevel::trace}}};
  for (const Name& entry : kNames) {
    if (equals_ignore_case(entry.name, text)) return entry.level;
  }
  auto number = parse_uint(text);
  return number && *number > 5 ? LogLevel::trace : fallback;
}

}  // namespace orch
