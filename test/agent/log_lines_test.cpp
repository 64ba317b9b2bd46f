#include "agent/log_lines.h"

#include <catch2/catch_test_macros.hpp>

namespace orch::agent {
namespace {

const std::string kLog =
    "2026-11-28T10:00:00.000000001Z stdout F one\n"
    "2026-11-28T10:00:01.5Z stderr P two \n"
    "2026-11-28T10:00:01.6Z stderr F and the rest\n"
    "garbage\n"
    "2026-11-28T10:00:02Z stdout F \n"
    "2026-11-28T10:00:03+02:00 stdout F:x later tags are for later\n";

TEST_CASE("lines are shown without what the runtime adds") {
  LogFormatter formatter((LogOptions()));
  CHECK(formatter.format(kLog) == "one\ntwo and the rest\n\nlater tags are for later\n");
}

TEST_CASE("times are shown with nine decimals, once for each whole line") {
  LogOptions options;
  options.timestamps = true;
  LogFormatter formatter(options);
  CHECK(formatter.format(kLog) ==
        "2026-11-28T10:00:00.000000001Z one\n"
        "2026-11-28T10:00:01.500000000Z two and the rest\n"
        "2026-11-28T10:00:02.000000000Z \n"
        "2026-11-28T10:00:03+02:00 later tags are for later\n");
}

TEST_CASE("older lines than since are left out") {
  LogOptions options;
  options.since = *parse_time("2026-11-28T10:00:01.5Z");
  LogFormatter formatter(options);
  CHECK(formatter.format(kLog) == "two and the rest\n\n");
}

TEST_CASE("a limit of bytes cuts inside a line, across calls") {
  LogOptions options;
  options.limit_bytes = 7;
  LogFormatter formatter(options);
  CHECK(formatter.format("2026-11-28T10:00:00Z stdout F one\n") == "one\n");
  CHECK_FALSE(formatter.full());
  CHECK(formatter.format("2026-11-28T10:00:00Z stdout F two!\n") == "two");
  CHECK(formatter.full());
  CHECK(formatter.format("2026-11-28T10:00:00Z stdout F three\n").empty());
}

TEST_CASE("lines that no runtime wrote are none") {
  for (std::string line : {"", "x", "2026 stdout", "2026 stdout ", "2026 stdin F x", "2026 stdout G x", "2026 stdout FF x"}) {
    INFO(line);
    CHECK_FALSE(parse_log_line(line).has_value());
  }
  CHECK(parse_log_line("2026 stdout F")->text.empty());
  CHECK(parse_log_line("2026 stderr P ")->partial);
}

TEST_CASE("options of a request") {
  Instant now = *parse_time("2026-11-28T10:00:00Z");
  auto options = *parse_log_options(*wire::Query::parse("follow=true&tailLines=5&limitBytes=9&sinceSeconds=60"), now);
  CHECK(options.follow);
  CHECK_FALSE(options.previous);
  CHECK(options.tail_lines == 5);
  CHECK(options.limit_bytes == 9);
  CHECK(format_time(*options.since) == "2026-11-28T09:59:00Z");
  CHECK_FALSE(parse_log_options(*wire::Query::parse("sinceTime=yesterday"), now).ok());
}

}  // namespace
}  // namespace orch::agent
