#include "runc/options.h"

#include <catch2/catch_test_macros.hpp>

namespace orch::runc {
namespace {

using Kind = Option::Kind;
constexpr Option kKnown[] = {{"bundle", 'b', Kind::text, ""}, {"detach", 'd', Kind::flag, ""}, {"env", 'e', Kind::list, ""}};

Options parsed(std::vector<std::string> words) { return Options::parse(kKnown, words).value(); }
std::string error_of(std::vector<std::string> words) { return Options::parse(kKnown, words).error().message(); }

TEST_CASE("flags take their value behind a blank or an equals sign, with one dash or two") {
  CHECK(parsed({"--bundle", "/a", "id"}).text("bundle") == "/a");
  CHECK(parsed({"--bundle=/a=b", "id"}).text("bundle") == "/a=b");
  CHECK(parsed({"-b", "/a", "id"}).text("bundle") == "/a");
  CHECK(parsed({"-bundle", "/a", "id"}).text("bundle") == "/a");
  CHECK(parsed({"-d", "id"}).on("detach"));
  CHECK_FALSE(parsed({"--detach=false", "id"}).on("detach"));
  CHECK(parsed({"-e", "A=1", "--env=B=2"}).list("env") == std::vector<std::string>{"A=1", "B=2"});
}

TEST_CASE("flags end at the first word that is none: the rest is the program's") {
  const Options options = parsed({"-d", "id", "sh", "-d", "--env", "x"});
  CHECK(options.words() == std::vector<std::string>{"id", "sh", "-d", "--env", "x"});
  CHECK(options.list("env").empty());
  CHECK(parsed({"--", "-d"}).words() == std::vector<std::string>{"-d"});
  CHECK(options.id().value() == "id");
  CHECK(!parsed({"-d"}).id().ok());
}

TEST_CASE("unknown flags and flags without a value are named") {
  CHECK(error_of({"--moon"}) == "flag provided but not defined: --moon");
  CHECK(error_of({"--bundle"}) == "flag needs an argument: --bundle");
}

}  // namespace
}  // namespace orch::runc
