#include "agent/log_files.h"

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/random.h"

namespace orch::agent {
namespace {

namespace fs = std::filesystem;

struct Log {
  fs::path directory;
  Log() {
    char path[] = "/tmp/orch-log-XXXXXX";
    directory = ::mkdtemp(path);
  }
  ~Log() { fs::remove_all(directory); }
  std::string path(std::string suffix = "") const { return (directory / ("0.log" + suffix)).string(); }
  void append(std::string text, std::string suffix = "") const {
    std::ofstream file(path(suffix), std::ios::app | std::ios::binary);
    file << text;
  }
  // As logrotate does: 0.log -> 0.log.1 -> 0.log.2 ..., `keep` of them.
  void rotate(int keep = 100) const {
    for (int i = keep; i-- > 1;) {
      if (fs::exists(path("." + std::to_string(i)))) fs::rename(path("." + std::to_string(i)), path("." + std::to_string(i + 1)));
    }
    fs::rename(path(), path(".1"));
    fs::remove(path("." + std::to_string(keep)));
  }
};

std::string all(LogReader& reader) {
  std::string text;
  while (true) {
    auto some = reader.read();
    REQUIRE(some.ok());
    if (some->empty()) return text;
    text += *some;
  }
}

TEST_CASE("a log that is not there is empty until it is") {
  Log log;
  LogReader reader(log.path());
  REQUIRE(reader.seek_start().ok());
  CHECK(all(reader).empty());
  log.append("one\n");
  CHECK(all(reader) == "one\n");
}

TEST_CASE("only whole lines are given out") {
  Log log;
  log.append("one\ntw");
  LogReader reader(log.path());
  REQUIRE(reader.seek_start().ok());
  CHECK(all(reader) == "one\n");
  log.append("o\nthree\n");
  CHECK(all(reader) == "two\nthree\n");
}

TEST_CASE("the tail is found from the end, in older files too") {
  Log log;
  log.append("1\n2\n3\n");
  log.rotate();
  log.append("4\n5\n");
  struct Case {
    int64_t lines;
    std::string expected;
  };
  for (const auto& c : {Case{0, ""}, Case{1, "5\n"}, Case{2, "4\n5\n"}, Case{3, "3\n4\n5\n"}, Case{5, "1\n2\n3\n4\n5\n"},
                        Case{99, "1\n2\n3\n4\n5\n"}}) {
    INFO(c.lines);
    LogReader reader(log.path());
    REQUIRE(reader.seek_tail(c.lines).ok());
    CHECK(all(reader) == c.expected);
    LogReader following(log.path());
    REQUIRE(following.seek_tail(c.lines).ok());
    CHECK(all(following) == c.expected);
  }
  LogReader reader(log.path());
  REQUIRE(reader.seek_tail(0).ok());
  log.append("6\n");
  CHECK(all(reader) == "6\n");
}

TEST_CASE("the tail of a large file, with lines longer than a piece") {
  Log log;
  std::string longest(200'000, 'x');
  std::string text;
  for (int i = 0; i < 2000; ++i) text += std::to_string(i) + std::string(100, 'y') + "\n";
  log.append(text + longest + "\nlast\n");
  LogReader reader(log.path());
  REQUIRE(reader.seek_tail(2).ok());
  CHECK(all(reader) == longest + "\nlast\n");
  REQUIRE(reader.seek_tail(3).ok());
  CHECK(all(reader) == "1999" + std::string(100, 'y') + "\n" + longest + "\nlast\n");
}

TEST_CASE("files named by their time are older the smaller their name, compressed ones are skipped") {
  Log log;
  log.append("1\n", ".20261128-100000");
  log.append("2\n", ".20261128-110000");
  log.append("0\n", ".20261128-090000.gz");
  log.append("3\n");
  LogReader reader(log.path());
  REQUIRE(reader.seek_start().ok());
  CHECK(all(reader) == "1\n2\n3\n");
}

TEST_CASE("a follower loses and repeats nothing across rotations") {
  uint64_t seed = 20261128;
  INFO("seed " << seed);
  SeededRandom random(seed);
  for (int round = 0; round < 20; ++round) {
    Log log;
    std::string written, got;
    LogReader reader(log.path());
    REQUIRE(reader.seek_start().ok());
    for (int step = 0; step < 200; ++step) {
      switch (random.below(4)) {
        case 0:
        case 1: {
          std::string line = std::to_string(step) + std::string(random.below(300), 'z') + "\n";
          log.append(line);
          written += line;
          break;
        }
        case 2:
          if (fs::exists(log.path())) log.rotate();
          break;
        default:
          got += all(reader);
      }
    }
    got += all(reader);
    CHECK(got == written);
  }
}

TEST_CASE("a follower that was overtaken goes on with the oldest file there is") {
  Log log;
  log.append("1\n");
  LogReader reader(log.path());
  REQUIRE(reader.seek_start().ok());
  CHECK(all(reader) == "1\n");
  for (int i = 2; i < 8; ++i) {
    log.rotate(3);
    log.append(std::to_string(i) + "\n");
  }
  CHECK(all(reader) == "5\n6\n7\n");
}

}  // namespace
}  // namespace orch::agent
