#include "base/log.h"

#include <catch2/catch_test_macros.hpp>
#include <vector>

using namespace orch;

namespace {

struct Lines {
  std::vector<std::string> lines;
  Logger logger(LogLevel level) {
    return Logger([this](LogLevel, std::string_view line) { lines.emplace_back(line); }, level);
  }
};

}  // namespace

TEST_CASE("a log line shows message and fields") {
  Lines sink;
  sink.logger(LogLevel::info).info("listening", {{"address", "0.0.0.0:6443"}, {"tries", 3}});
  REQUIRE(sink.lines == std::vector<std::string>{"listening address=0.0.0.0:6443 tries=3"});
}

TEST_CASE("a logger's name stands before its lines") {
  Lines sink;
  sink.logger(LogLevel::info).named("api").warn("slow");
  REQUIRE(sink.lines == std::vector<std::string>{"[api] slow"});
}

TEST_CASE("lines below the level are dropped") {
  Lines sink;
  Logger log = sink.logger(LogLevel::warn);
  log.debug("no");
  log.info("no");
  log.error("yes");
  REQUIRE(sink.lines == std::vector<std::string>{"yes"});
  REQUIRE(!log.enabled(LogLevel::info));
  Logger::discard().error("nowhere");
}

TEST_CASE("text from outside cannot forge a line or a field") {
  Lines sink;
  sink.logger(LogLevel::info).info("a\nb", {{"path", "x y=\"z\"\n"}, {"empty", ""}});
  REQUIRE(sink.lines ==
          std::vector<std::string>{R"(a\nb path="x y=\"z\"\n" empty="")"});
}

TEST_CASE("log levels are names or klog's numbers") {
  REQUIRE(parse_log_level("debug", LogLevel::info) == LogLevel::debug);
  REQUIRE(parse_log_level("WARN", LogLevel::info) == LogLevel::warn);
  REQUIRE(parse_log_level("0", LogLevel::error) == LogLevel::info);
  REQUIRE(parse_log_level("4", LogLevel::error) == LogLevel::debug);
  REQUIRE(parse_log_level("9", LogLevel::error) == LogLevel::trace);
  REQUIRE(parse_log_level("loud", LogLevel::error) == LogLevel::error);
}
