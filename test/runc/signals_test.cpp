#include "runc/signals.h"

#include <catch2/catch_test_macros.hpp>
#include <csignal>

namespace orch::runc {
namespace {

TEST_CASE("signals have numbers, names, and names behind SIG, in any case") {
  CHECK(parse_signal("9") == SIGKILL);
  CHECK(parse_signal("TERM") == SIGTERM);
  CHECK(parse_signal("SIGHUP") == SIGHUP);
  CHECK(parse_signal("sigusr1") == SIGUSR1);
  CHECK(parse_signal("RTMIN+3") == SIGRTMIN + 3);
  CHECK(parse_signal("SIGRTMAX-1") == SIGRTMAX - 1);
}

TEST_CASE("what is no signal is refused") {
  for (const char* text : {"", "0", "65", "-1", "SIG", "MOON", "RTMIN+99", "RTMINx"}) {
    INFO(text);
    CHECK(!parse_signal(text));
  }
}

}  // namespace
}  // namespace orch::runc
