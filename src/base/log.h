#pragma once
// The log. A Logger is handed down (no global); lines go to one sink, stderr in the binary and a
// buffer in tests. Call: log.info("listening", {{"address", address}}).

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace orch {

enum class LogLevel : unsigned char { trace, debug, info, warn, error, off };

struct LogField {
  std::string_view key;
  std::string value;
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, long long v) : key(k), value(std::to_string(v)) {}
  LogField(std::string_view k, long v) : key(k), value(std::to_string(v)) {}
  LogField(std::string_view k, int v) : key(k), value(std::to_string(v)) {}
  LogField(std::string_view k, unsigned v) : key(k), value(std::to_string(v)) {}
  LogField(std::string_view k, unsigned long v) : key(k), value(std::to_string(v)) {}
  LogField(std::string_view k, unsigned long long v) : key(k), value(std::to_string(v)) {}
};

class Logger {
 public:
  using Sink = std::function<void(LogLevel, std::string_view line)>;

  // Thread-safe as far as the sink is. `line` has no time stamp and no newline.
  Logger(Sink sink, LogLevel level);
  static Logger to_stderr(LogLevel level);  // with time stamps, through spdlog
  static Logger discard();

  // The same sink; lines say where they come from: "[api] ...".
  Logger named(std::string_view room) const;
  bool enabled(LogLevel level) const { return level >= shared_->level; }

  using Fields = std::initializer_list<LogField>;
  void debug(std::string_view message, Fields fields = {}) const { write(LogLevel::debug, message, fields); }
  void info(std::string_view message, Fields fields = {}) const { write(LogLevel::info, message, fields); }
  void warn(std::string_view message, Fields fields = {}) const { write(LogLevel::warn, message, fields); }
  void error(std::string_view message, Fields fields = {}) const { write(LogLevel::error, message, fields); }

 private:
  struct Shared {
    Sink sink;
    LogLevel level;
  };
  Logger(std::shared_ptr<const Shared> shared, std::string name);
  void write(LogLevel level, std::string_view message, Fields fields) const;
  std::shared_ptr<const Shared> shared_;
  std::string name_;
};

LogLevel parse_log_level(std::string_view text, LogLevel fallback);  // "debug", "0".."5"

}  // namespace orch
